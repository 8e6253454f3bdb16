// The shapes that are ours alone: what the gateway's HTTP answers look like, and the page's state.
import type {
  Action, Body, Case, CommandResult, Device, District, Incident, Order, Place, Situation, SupportNeeded, SupportOffer, Text, Unit, UnitState,
} from "./messages.js";

export interface Post {
  id: string;
  role: "desk" | "unit";
  name: Text;
  district: number; // -1: the whole city
  skill?: string;
}

export interface Session {
  run: string;
  kind: "live" | "demo" | "replay";
  speed: number;
  socket: string;
  districts: readonly District[];
  posts: readonly Post[];
  server_ns: number;
}

export interface Metric {
  unit: string;
  name: Text;
  period_s: number;
  lo?: number;
  hi?: number;
}

export interface IncidentKind {
  domain: string;
  name: Text;
  by: "place" | "zone" | "device" | "district";
  case_at?: number | null;
  category: string;
  skill: string;
  support_skill: string;
  next_step: Text;
  nature?: "incident" | "health" | "warning";
}

export interface SituationKind {
  domain: string;
  name: Text;
  next_step: Text;
}

export interface Domains {
  metrics: Readonly<Record<string, Metric>>;
  kinds: Readonly<Record<string, IncidentKind>>;
  situations: Readonly<Record<string, SituationKind>>;
  categories: Readonly<Record<string, { name: Text }>>;
  reasons: Readonly<Record<string, Text>>;
  device_kinds: Readonly<Record<string, { name: Text; icon?: string }>>;
}

export interface Registry {
  places: ReadonlyMap<string, Place>;
  devices: ReadonlyMap<string, Device>;
  units: ReadonlyMap<string, Unit>;
  whole: boolean; // false: a large city; places and devices are only those that were looked up
  counts: { places: number; devices: number; cameras: number };
}

/** What the map shows of a large city's devices. */
export interface Sample {
  shown: number;
  total: number;
}

/** district, series, event time in ms, value (null: not a number), quality */
export type ValueRow = readonly [number, number, number, number | null, number];

export interface Support {
  need: SupportNeeded | null;
  offers: readonly SupportOffer[];
}

/** Everything the districts have said, newest state of each object. */
export interface World {
  ready: boolean;
  incidents: ReadonlyMap<string, Incident>;
  situations: ReadonlyMap<string, Situation>;
  cases: ReadonlyMap<string, Case>;
  orders: ReadonlyMap<string, Order>;
  units: ReadonlyMap<string, UnitState>;
  support: ReadonlyMap<string, Support>; // by request
  values: ReadonlyMap<string, ValueRow>; // by "district:series"
  at: Readonly<Record<string, number>>; // newest offset seen of each district
  epoch: string; // life of the run's log to which the offsets belong
}

export interface ServerError {
  code: string;
  message: string;
  args?: Readonly<Record<string, unknown>>;
}

export interface Stamps {
  ingest_ms?: number | null;
  agent_ms?: number | null;
  gateway_ms?: number | null;
}

export type ServerMessage =
  | { type: "snapshot"; at: Record<string, number>; epoch?: string; now_ms: number; objects: Body[]; values: ValueRow[] }
  | ({ type: "delta"; at: [number, number]; body: Body } & Stamps)
  | ({ type: "result"; at: [number, number]; body: CommandResult } & Stamps)
  | ({ type: "values"; rows: ValueRow[] } & Stamps)
  | {
      type: "beat";
      now_ms: number;
      event_ms: number | null;
      feeds?: Record<string, { event_ms: number | null; ingest_ms: number | null }>;
      kafka?: boolean;
      database?: boolean;
      at?: Record<string, number> | null;
    }
  | { type: "pong"; sent_ms: number; now_ms: number };

/** How well we hear the server. */
export interface Link {
  phase: "connecting" | "live" | "lost";
  since_ms: number; // local time of the last change of phase
  heard_ms: number; // local time of the newest word from the server
  tries: number;
  refused: ServerError | null;
}

/** Server and event time as seen from this page. */
export interface Clock {
  offset_ms: number; // server = local + offset
  trip_ms: number; // of the ping the offset comes from; Infinity before the first
  event_ms: number | null; // newest event time told
  event_at_ms: number; // local time when told
  speed: number; // event seconds per second between tellings; 0: do not extrapolate
}

/** A command on its way. */
export interface Pending {
  id: string;
  action: Action;
  subject: string; // id of the incident, situation or order it is about
  sent_ms: number;
  phase: "sent" | "accepted";
}

export interface Notice {
  id: number;
  tone: "ok" | "bad";
  text: string;
}

export interface OutboxItem {
  id: string; // client UUID = command_id
  post: string;
  action: Action;
  made_ms: number; // server clock when the person acted
  phase: "waiting" | "sent" | "refused";
  tries: number;
  error: ServerError | null;
}

export type Dict = Readonly<Record<string, string>>;
export type Say = (key: string, args?: Readonly<Record<string, unknown>>) => string;

/** Words and numbers of one language. */
export interface Tongue {
  lang: "zh-CN" | "en";
  t: Say;
  name: (text: Text | undefined | null) => string;
}
