// A stat panel: Grafana's big value for each series.

import { getFieldDisplayValues, VizOrientation, type DataFrame } from "@grafana/data";
import { BigValue, useTheme2, VizRepeater } from "@grafana/ui";
import type { Panel } from "../dashboard";
import { keep } from "../variables";

interface Props {
  panel: Panel;
  frames: DataFrame[];
  width: number;
  height: number;
}

export function Stat({ panel, frames, width, height }: Props) {
  const theme = useTheme2();
  const { reduceOptions, colorMode, graphMode, justifyMode, textMode } = panel.options;
  const getValues = () =>
    getFieldDisplayValues({
      data: frames,
      fieldConfig: panel.fieldConfig,
      reduceOptions,
      replaceVariables: keep,
      sparkline: graphMode !== "none",
      theme,
    });
  return (
    <VizRepeater
      getValues={getValues}
      source={frames}
      orientation={VizOrientation.Auto}
      width={width}
      height={height}
      autoGrid
      renderCounter={0}
      renderValue={({ value, width, height, count }) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline}
          colorMode={colorMode}
          graphMode={graphMode}
          justifyMode={justifyMode}
          textMode={textMode}
          width={width}
          height={height}
          count={count}
          theme={theme}
        />
      )}
    />
  );
}
