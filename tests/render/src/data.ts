// Data of a panel as Grafana prepares it: queried, transformed, with the field settings applied.

import { standardTransformers, standardTransformersRegistry, transformDataFrame } from "@grafana/data";
import type { DataFrame, GrafanaTheme2, TimeRange } from "@grafana/data";
import { firstValueFrom } from "rxjs";
import type { Panel, Target } from "./dashboard";
import { configured } from "./fields";
import { bucketFrames } from "./heatmap";
import { instant, over, seriesFrames, tableFrame } from "./prometheus";
import { rateInterval, stepSeconds } from "./range";
import { interpolate, type Values } from "./variables";

standardTransformersRegistry.setInit(() =>
  [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    transformation,
    editor: () => null,
  })),
);

async function ask(target: Target, panel: Panel, step: number, range: TimeRange, values: Values): Promise<DataFrame[]> {
  const query = interpolate(target.expr, values, rateInterval(step));
  if (target.format === "table") {
    return [tableFrame(target.refId, await instant(query, range), panel.targets.length === 1)];
  }
  const answer = target.instant ? await instant(query, range) : await over(query, range, step);
  return target.format === "heatmap"
    ? bucketFrames(answer, step)
    : seriesFrames(target.refId, target.legendFormat, answer, step);
}

export async function data(
  panel: Panel,
  width: number,
  range: TimeRange,
  values: Values,
  theme: GrafanaTheme2,
): Promise<DataFrame[]> {
  const step = stepSeconds(range, width, panel.interval);
  const answers = await Promise.all(panel.targets.map((target) => ask(target, panel, step, range, values)));
  const frames = answers.flat().filter((frame) => frame.fields.length > 0);
  const transformed = await firstValueFrom(transformDataFrame(panel.transformations ?? [], frames));
  return configured(transformed, panel.fieldConfig, theme);
}
