// What the console's views are given: facts, and what can be done.
import type { Alarm } from "../lib/alarm.js";
import type { Filter, Look, Row } from "../lib/alerts.js";
import type { Book } from "../lib/words.js";
import type { Case, Incident, Order, Situation } from "../lib/messages.js";
import type { Candidate } from "../lib/candidates.js";
import type { Link, Notice, Pending, Post, Sample, World } from "../lib/types.js";

export type Dialog =
  | { type: "post" }
  | { type: "help" }
  | { type: "dispatch"; incident: string }
  | { type: "close"; incident: string; result: "pass" | "false_alarm" }
  | { type: "reject"; incident: string }
  | { type: "merge"; incident: string }
  | { type: "split"; incident: string };

export interface Layers {
  cameras: boolean;
  sensors: boolean;
  units: boolean;
  orders: boolean;
  incidents: boolean;
}

export interface ConsoleModel {
  book: Book;
  world: World;
  post: Post | null;
  look: Look;
  rows: readonly Row[];
  waiting: number;
  hidden: number;
  beyond: number;
  flood: boolean;
  openGroups: ReadonlySet<string>;
  chosen: Incident | null;
  situation: Situation | null; // chosen instead of an incident
  now: { event_ms: number; server_ms: number; local_ms: number; offset_ms: number };
  link: Link;
  services: { kafka: boolean; database: boolean; fed_ms: number | null };
  latency: { p50: number | null; p99: number | null };
  pending: ReadonlyMap<string, Pending>;
  notices: readonly Notice[];
  dialog: Dialog | null;
  candidates: readonly Candidate[];
  layers: Layers;
  mapState: "loading" | "ready" | "failed";
  sound: { awake: boolean; muted: boolean; volume: number; ringing: number; alarm: Alarm };
  theme: "dark" | "light";
  keys: boolean;
  canAct: boolean;
  mayAct: boolean; // this post may decide about the chosen incident
  curve: { state: "loading" | "ready" | "empty" | "failed"; error: string; last: { value: number; t_ms: number } | null };
  evidence: string; // id of the finding whose curve is shown
  sample: Sample | null; // devices on the map of a large city
}

export interface ConsoleActs {
  choose(id: string | null): void;
  filter(filter: Filter): void;
  search(text: string): void;
  scope(own: boolean): void;
  release(): void;
  hover(on: boolean): void;
  focusIn(on: boolean): void;
  scrolled(top: number): void;
  toggleGroup(id: string): void;
  acknowledge(id: string): void;
  openDialog(dialog: Dialog | null): void;
  dispatch(incident: string, unit: string): void;
  closeCase(incident: string, result: "pass" | "false_alarm", note: string): void;
  confirm(incident: string): void;
  reject(incident: string, note: string): void;
  merge(incident: string, into: string): void;
  split(incident: string, findings: readonly string[]): void;
  goTo(): void;
  wholeCity(): void;
  layer(name: keyof Layers): void;
  pickPost(id: string): void;
  language(): void;
  theme(): void;
  startSound(): void;
  mute(): void;
  volume(v: number): void;
  silence(): void;
  keys(on: boolean): void;
  dismiss(id: number): void;
  evidence(finding: string): void;
  retry(): void;
}

export type { Case, Order };
