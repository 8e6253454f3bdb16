// Small objects for tests.

let n = 0;

/** @param {Partial<import("../../../web/lib/messages.js").Incident>} given */
export function incident(given = {}) {
  n += 1;
  return {
    type: "incident", id: `I${n}`, rev: 1, district: 0, domain: "flooding", kind: "road_flooding", place: "P1",
    place_name_zh: "", place_name_en: "", lon: 112.6, lat: 23.9, state: "open", severity: 3, peak: 3,
    opened_ns: n * 1e9, updated_ns: n * 1e9, cleared_ns: null, closed_ns: null, acknowledged_by: "",
    acknowledged_ns: null, evidence: [], history: [], rules: "", case: "", support: "", zone: "Z1", confidence: 0.9,
    standing: "confirmed", confirmed_ns: n * 1e9, sources: ["sensor"], situation: "", annunciated_ns: n * 1e9,
    merged_into: "", merged_from: [], split_from: "", ...given,
  };
}

/** @param {Partial<import("../../../web/lib/messages.js").Situation>} given */
export function situation(given = {}) {
  n += 1;
  return {
    type: "situation", id: `S${n}`, rev: 1, district: 0, kind: "storm", state: "open", severity: 2, peak: 2,
    opened_ns: n * 1e9, updated_ns: n * 1e9, closed_ns: null, zones: [], sites: 0, incidents: [], warning: "",
    acknowledged_by: "", acknowledged_ns: null, annunciated_ns: n * 1e9, history: [], ...given,
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
