// Written by scripts/messages_dts.py from yiwang.model and yiwang.registry. Do not edit.

export interface Evidence {
  finding: string;
  device: string;
  metric: string;
  source: string;
  level: number;
  peak: number;
  since_ns: number;
  t_ns: number;
  value: number;
  limit: number;
  reason: string;
  numbers: Readonly<Record<string, number>>;
  series: number;
  place: string;
  text: string;
  confidence: number;
  doubt: string;
}

export interface Step {
  t_ns: number;
  what: string;
  by: string;
  args: Readonly<Record<string, unknown>>;
}

export interface Text {
  zh: string;
  en: string;
}

export interface District {
  number: number;
  code: string;
  name: Text;
}

export interface Place {
  id: string;
  district: number;
  zone: string;
  kind: string;
  name: Text;
  lon: number;
  lat: number;
  attributes: Readonly<Record<string, number>>;
}

export interface Series {
  number: number;
  metric: string;
}

export interface Device {
  id: string;
  district: number;
  kind: string;
  place: string;
  name: Text;
  lon: number;
  lat: number;
  series: readonly Series[];
  attributes: Readonly<Record<string, number>>;
}

export interface Unit {
  id: string;
  district: number;
  name: Text;
  skill: string;
  lon: number;
  lat: number;
  on_duty: boolean;
}

export interface Finding {
  type: "finding";
  id: string;
  detector: string;
  version: string;
  domain: string;
  kind: string;
  series: number;
  device: string;
  metric: string;
  place: string;
  level: number;
  since_ns: number;
  t_ns: number;
  value: number;
  limit: number;
  reason: string;
  source: "report" | "sensor" | "video" | "warning";
  numbers: Readonly<Record<string, number>>;
  image_url: string;
  text: string;
  confidence: number;
}

export interface Incident {
  type: "incident";
  id: string;
  rev: number;
  district: number;
  domain: string;
  kind: string;
  place: string;
  place_name_zh: string;
  place_name_en: string;
  lon: number;
  lat: number;
  state: "cleared" | "closed" | "open";
  severity: number;
  peak: number;
  opened_ns: number;
  updated_ns: number;
  cleared_ns: number | null;
  closed_ns: number | null;
  acknowledged_by: string;
  acknowledged_ns: number | null;
  evidence: readonly Evidence[];
  history: readonly Step[];
  rules: string;
  case: string;
  support: string;
  zone: string;
  confidence: number;
  standing: "candidate" | "confirmed" | "corroborated" | "verified";
  confirmed_ns: number | null;
  sources: readonly string[];
  situation: string;
  annunciated_ns: number | null;
  merged_into: string;
  merged_from: readonly string[];
  split_from: string;
}

export interface Situation {
  type: "situation";
  id: string;
  rev: number;
  district: number;
  kind: string;
  state: "closed" | "open";
  severity: number;
  peak: number;
  opened_ns: number;
  updated_ns: number;
  closed_ns: number | null;
  zones: readonly string[];
  sites: number;
  incidents: readonly string[];
  warning: string;
  acknowledged_by: string;
  acknowledged_ns: number | null;
  annunciated_ns: number | null;
  history: readonly Step[];
}

export interface Case {
  type: "case";
  id: string;
  rev: number;
  district: number;
  incident: string;
  category: string;
  severity: number;
  stage: "accepted" | "checking" | "closed" | "dispatched" | "handling";
  opened_ns: number;
  updated_ns: number;
  deadline_ns: number | null;
  closed_ns: number | null;
  result: string;
  orders: readonly string[];
  history: readonly Step[];
}

export interface Order {
  type: "order";
  id: string;
  rev: number;
  district: number;
  case: string;
  incident: string;
  incident_kind: string;
  severity: number;
  unit: string;
  place_name_zh: string;
  place_name_en: string;
  lon: number;
  lat: number;
  state: "accepted" | "cancelled" | "declined" | "delivered" | "done" | "en_route" | "on_scene" | "seen" | "sent" | "verified";
  sent_ns: number;
  updated_ns: number;
  deadline_ns: number | null;
  overdue: boolean;
  offer: number;
  for_district: number;
  distance_m: number;
  receipts: readonly Step[];
}

export interface UnitState {
  type: "unit";
  id: string;
  rev: number;
  district: number;
  on_duty: boolean;
  order: string;
  t_ns: number;
}

export interface SupportNeeded {
  type: "support_needed";
  id: string;
  district: number;
  incident: string;
  incident_kind: string;
  severity: number;
  place_name_zh: string;
  place_name_en: string;
  skill: string;
  lon: number;
  lat: number;
  t_ns: number;
}

export interface SupportOffer {
  type: "support_offer";
  request: string;
  district: number;
  for_district: number;
  incident: string;
  granted: boolean;
  unit: string;
  unit_name_zh: string;
  unit_name_en: string;
  order: string;
  t_ns: number;
}

export interface CommandResult {
  type: "result";
  command_id: string;
  by: string;
  ok: boolean;
  t_ns: number;
  code: string;
  message: string;
  args: Readonly<Record<string, unknown>>;
}

export interface Trouble {
  type: "trouble";
  code: string;
  t_ns: number;
  count: number;
  args: Readonly<Record<string, unknown>>;
}

export interface Acknowledge {
  do: "acknowledge";
  incident: string;
}

export interface SendReceipt {
  do: "receipt";
  order: string;
  receipt: "accepted" | "cancelled" | "declined" | "delivered" | "done" | "en_route" | "on_scene" | "seen" | "sent" | "verified";
  note?: string;
}

export interface Dispatch {
  do: "dispatch";
  incident: string;
  unit: string;
}

export interface CloseCase {
  do: "close_case";
  case: string;
  result?: "false_alarm" | "pass";
  note?: string;
}

export interface ConfirmIncident {
  do: "confirm_incident";
  incident: string;
}

export interface DismissIncident {
  do: "dismiss_incident";
  incident: string;
  note?: string;
}

export interface MergeIncidents {
  do: "merge_incidents";
  incident: string;
  into: string;
}

export interface SplitIncident {
  do: "split_incident";
  incident: string;
  findings: readonly string[];
}

export type Body =
  | Finding
  | Incident
  | Situation
  | Case
  | Order
  | UnitState
  | SupportNeeded
  | SupportOffer
  | CommandResult
  | Trouble;

export type Action = Acknowledge | SendReceipt | Dispatch | CloseCase | ConfirmIncident | DismissIncident | MergeIncidents | SplitIncident;

export type Receipt = Order["state"];
export type Stage = Case["stage"];
