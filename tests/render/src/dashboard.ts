// Types for the parts of the dashboards' JSON that are drawn, and the dashboard files.

import type { DataTransformerConfig, FieldConfigSource, ReduceDataOptions } from "@grafana/data";

export interface Target {
  refId: string;
  expr: string;
  legendFormat: string;
  format?: "table" | "heatmap";
  instant?: boolean;
}

export interface Panel {
  id: number;
  type: "row" | "stat" | "timeseries" | "table" | "heatmap";
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: FieldConfigSource;
  options: Record<string, any> & { reduceOptions: ReduceDataOptions };
  targets: Target[];
  transformations?: DataTransformerConfig[];
  interval?: string;
}

export interface Annotation {
  expr?: string;
  iconColor: string;
  step?: string;
}

export interface Variable {
  name: string;
  label: string;
  type: string;
  hide: number;
  allValue?: string;
  query: unknown;
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
  links: Array<{ title: string; icon: string; type: string }>;
  annotations: { list: Annotation[] };
  templating: { list: Variable[] };
}

const files = import.meta.glob<Dashboard>("../../../dashboards/*.json", { eager: true, import: "default" });

export function dashboard(uid: string): Dashboard {
  const found = Object.values(files).find((dashboard) => dashboard.uid === uid);
  if (!found) {
    throw new Error(`no dashboard has the uid ${uid}`);
  }
  return withInfinity(found);
}

/** The first step of thresholds starts at minus infinity, which JSON cannot write. */
function withInfinity(dashboard: Dashboard): Dashboard {
  return JSON.parse(JSON.stringify(dashboard), (key, value) => {
    // In a heat map `steps` is a number.
    if (key === "steps" && Array.isArray(value)) {
      value[0].value = -Infinity;
    }
    return value;
  });
}
