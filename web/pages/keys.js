// The keyboard of the desk. Single keys can be turned off; Enter, Esc and the arrows of lists remain.

/** @typedef {import("../views/model.js").ConsoleActs} Acts */
/** @typedef {import("../views/model.js").Dialog} Dialog */

/**
 * @param {object} desk
 * @param {Acts} desk.acts
 * @param {() => boolean} desk.keysOn
 * @param {() => Dialog | null} desk.dialog
 * @param {() => import("../lib/messages.js").Incident | null} desk.chosen
 * @param {(id: string) => readonly import("../lib/candidates.js").Candidate[]} desk.crews
 * @param {() => boolean} desk.canAct
 */
export function listenKeys({ acts, keysOn, dialog, chosen, crews, canAct }) {
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    const target = /** @type {HTMLElement} */ (e.target);
    const typing = target.matches("input:not([type=checkbox]):not([type=range]), textarea, select");
    if (e.key === "Escape") {
      escape(target);
      return;
    }
    if (typing || !keysOn()) return;
    const open = dialog();
    if (open) {
      if (open.type === "dispatch" && /^[1-9]$/.test(e.key) && canAct()) {
        const free = crews(open.incident).filter((c) => c.why === null);
        const one = free[Number(e.key) - 1];
        if (one) {
          e.preventDefault();
          acts.dispatch(open.incident, one.unit.id);
        }
      }
      return;
    }
    if (press(e.key)) e.preventDefault();
  });

  /** @param {HTMLElement} target */
  function escape(target) {
    if (dialog()) return; // the dialog closes itself
    if (target.id === "search") {
      acts.search("");
      target.blur();
    } else if (target.closest("#list")) target.blur();
    else acts.choose(null);
  }

  /** @param {string} key @returns {boolean} whether it was one of ours */
  function press(key) {
    const i = chosen();
    switch (key) {
      case "j":
      case "ArrowDown":
        return move(1);
      case "k":
      case "ArrowUp":
        return move(-1);
      case "Enter":
        if (!document.activeElement?.matches(".row.chosen")) return false;
        document.getElementById("detail")?.focus();
        return true;
      case "a":
        button("acknowledge");
        return true;
      case "v":
        button("confirm");
        return true;
      case "d":
        if (i && button("dispatch")) acts.openDialog({ type: "dispatch", incident: i.id });
        return true;
      case "c":
        if (i && button("close")) acts.openDialog({ type: "close", incident: i.id, result: "pass" });
        return true;
      case "m":
        acts.goTo();
        return true;
      case "n":
        acts.release();
        return true;
      case "s":
        acts.silence();
        return true;
      case "/":
        document.getElementById("search")?.focus();
        return true;
      case "?":
        acts.openDialog({ type: "help" });
        return true;
      default:
        return false;
    }
  }

  /** Whether the act is offered now; acknowledge and confirm are done at once. @param {string} act */
  function button(act) {
    const found = document.querySelector(`#what [data-act=${act}]`);
    if (!(found instanceof HTMLButtonElement) || found.disabled) return false;
    if (act === "acknowledge" || act === "confirm") found.click();
    return true;
  }

  /** @param {number} by */
  function move(by) {
    const all = [...document.querySelectorAll("#list .row")].filter((r) => r instanceof HTMLButtonElement);
    if (all.length === 0) return true;
    const focused = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const now = focused >= 0 ? focused : all.findIndex((r) => r.classList.contains("chosen"));
    const next = all[now < 0 ? 0 : Math.max(0, Math.min(all.length - 1, now + by))];
    next?.focus();
    const id = next?.dataset["id"];
    if (id && !next?.classList.contains("group")) acts.choose(id);
    return true;
  }
}
