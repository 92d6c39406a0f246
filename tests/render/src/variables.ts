// Values of Grafana's variables: those in the address (`var-queue=extract`, as in Grafana's addresses), and "All" for
// the others, as in a newly opened dashboard.

import type { InterpolateFunction } from "@grafana/data";
import type { Variable } from "./dashboard";

/** By name: the value in queries and the text in its box. */
export type Values = Record<string, { value: string; text: string }>;

export function values(variables: Variable[], address: URLSearchParams): Values {
  return Object.fromEntries(variables.map((variable) => [variable.name, valueOf(variable, address)]));
}

function valueOf({ name, type, allValue = ".*", query }: Variable, address: URLSearchParams) {
  const chosen = address.get(`var-${name}`);
  if (chosen !== null) {
    return { value: chosen, text: chosen };
  }
  return type === "query" ? { value: allValue, text: "All" } : { value: String(query), text: "Prometheus" };
}

export function interpolate(text: string, values: Values, rateInterval: string): string {
  return text.replace(/\$(\w+)/g, (written, name: string) =>
    name === "__rate_interval" ? rateInterval : (values[name]?.value ?? written),
  );
}

/** Leaves links unchanged, because a picture does not show their targets. */
export const keep: InterpolateFunction = (text) => text;
