// Small objects for tests.

let n = 0;

/** @param {Partial<import("../../../web/lib/messages.js").Incident>} given */
export function incident(given = {}) {
  n += 1;
  return {
    type: "incident", id: `I${n}`, rev: 1, district: 0, domain: "flooding", kind: "road_flooding", place: "P1",
    place_name_zh: "", place_name_en: "", lon: 112.6, lat: 23.9, state: "open", severity: 3, peak: 3,
    opened_ns: n * 1e9, updated_ns: n * 1e9, cleared_ns: null, closed_ns: null, acknowledged_by: "",
    acknowledged_ns: null, evidence: [], history: [], rules: "", case: "", support: "", ...given,
  };
}

/** @param {object} given */
export function order(given = {}) {
  n += 1;
  return {
    type: "order", id: `O${n}`, rev: 1, district: 0, case: "C1", incident: "I1", incident_kind: "road_flooding",
    severity: 2, unit: "U1", place_name_zh: "", place_name_en: "", lon: 112.6, lat: 23.9, state: "sent",
    sent_ns: n * 1e9, updated_ns: n * 1e9, deadline_ns: 1e12, overdue: false, offer: 1, for_district: -1,
    distance_m: 0, receipts: [], ...given,
  };
}

/** @param {string} order @param {string} receipt @param {object} given */
export function item(order, receipt, given = {}) {
  n += 1;
  return {
    id: `m${n}`, post: "U1", action: { do: "receipt", order, receipt }, made_ms: n, phase: "waiting", tries: 0, error: null, ...given,
  };
}
