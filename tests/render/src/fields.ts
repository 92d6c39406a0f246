// The settings of a field that the dashboards use. Grafana's libraries apply them (`applyFieldOverrides`), but the list
// of settings is part of Grafana's server.

import {
  applyFieldOverrides,
  FieldConfigOptionsRegistry,
  identityOverrideProcessor,
  type DataFrame,
  type FieldConfigPropertyItem,
  type FieldConfigSource,
  type GrafanaTheme2,
} from "@grafana/data";
import { keep } from "./variables";

const STANDARD = ["unit", "decimals", "min", "max", "noValue", "thresholds", "mappings", "color", "links"];
const CUSTOM = [
  "drawStyle", "lineInterpolation", "lineWidth", "lineStyle", "fillOpacity", "gradientMode", "showPoints", "pointSize",
  "spanNulls", "stacking", "thresholdsStyle", "axisPlacement", "axisGridShow", "axisSoftMax", "scaleDistribution",
  "hideFrom", "align", "cellOptions", "filterable", "width", "minWidth",
];

/** Defaults of Grafana's panels. */
const TIME_SERIES = {
  drawStyle: "line",
  lineInterpolation: "linear",
  gradientMode: "none",
  pointSize: 5,
  axisPlacement: "auto",
  axisGridShow: true,
  scaleDistribution: { type: "linear" },
  thresholdsStyle: { mode: "off" },
};

function setting(name: string, isCustom: boolean): FieldConfigPropertyItem {
  const nothing = () => null;
  return {
    id: isCustom ? `custom.${name}` : name,
    path: name,
    name,
    isCustom,
    editor: nothing,
    override: nothing,
    process: identityOverrideProcessor,
    shouldApply: () => true,
  };
}

const REGISTRY = new FieldConfigOptionsRegistry(() => [
  ...STANDARD.map((name) => setting(name, false)),
  ...CUSTOM.map((name) => setting(name, true)),
]);

/** Rejects settings that are not in the list, because Grafana's libraries would ignore them and draw a wrong picture. */
function check({ defaults, overrides }: FieldConfigSource) {
  const used = [
    ...Object.keys(defaults).filter((name) => name !== "custom"),
    ...Object.keys(defaults.custom ?? {}).map((name) => `custom.${name}`),
    ...overrides.flatMap(({ properties }) => properties.map(({ id }) => id)),
  ];
  const unknown = used.filter((id) => !REGISTRY.getIfExists(id));
  if (unknown.length > 0) {
    throw new Error(`src/fields.ts does not know ${unknown.join(", ")}`);
  }
}

export function configured(frames: DataFrame[], fieldConfig: FieldConfigSource, theme: GrafanaTheme2): DataFrame[] {
  check(fieldConfig);
  const { defaults, overrides } = fieldConfig;
  return applyFieldOverrides({
    data: frames,
    fieldConfig: { defaults: { ...defaults, custom: { ...TIME_SERIES, ...defaults.custom } }, overrides },
    fieldConfigRegistry: REGISTRY,
    replaceVariables: keep,
    theme,
    timeZone: "browser",
  });
}
