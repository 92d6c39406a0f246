// One panel: Grafana's frame, the panel's data, and the component for its type.

import type { DataFrame, TimeRange } from "@grafana/data";
import { PanelChrome, useTheme2 } from "@grafana/ui";
import { useEffect, useState } from "react";
import type { Mark } from "./annotations";
import type { Panel as PanelJson } from "./dashboard";
import { data } from "./data";
import { Heatmap } from "./panels/heatmap";
import { Stat } from "./panels/stat";
import { Table } from "./panels/table";
import { TimeSeries } from "./panels/timeseries";
import type { Values } from "./variables";

interface Props {
  panel: PanelJson;
  width: number;
  height: number;
  range: TimeRange;
  values: Values;
  marks: Mark[];
  /** Called once, with the error if there is one. */
  onDone: (error?: unknown) => void;
}

export function Panel(props: Props) {
  const { panel, width, height, range, values, onDone } = props;
  const theme = useTheme2();
  const [frames, setFrames] = useState<DataFrame[]>();
  useEffect(() => {
    data(panel, width, range, values, theme).then(setFrames).catch(onDone);
  }, []);
  useEffect(() => {
    if (frames) {
      onDone();
    }
  }, [frames]);
  return (
    <PanelChrome
      title={panel.title}
      description={panel.description}
      width={width}
      height={height}
      padding={panel.type === "table" ? "none" : "md"}
    >
      {(width, height) => frames && <Drawing {...props} frames={frames} width={width} height={height} />}
    </PanelChrome>
  );
}

function Drawing({ panel, frames, width, height, range, marks }: Props & { frames: DataFrame[] }) {
  if (panel.type === "stat") {
    return <Stat panel={panel} frames={frames} width={width} height={height} />;
  }
  if (frames.length === 0) {
    return <Empty text={panel.fieldConfig.defaults.noValue} />;
  }
  switch (panel.type) {
    case "timeseries":
      return <TimeSeries panel={panel} frames={frames} marks={marks} range={range} width={width} height={height} />;
    case "table":
      return <Table panel={panel} frames={frames} width={width} height={height} />;
    case "heatmap":
      return <Heatmap panel={panel} frames={frames} range={range} width={width} height={height} />;
    default:
      throw new Error(`src/panel.tsx cannot draw a ${panel.type}`);
  }
}

function Empty({ text = "No data" }: { text?: string }) {
  return (
    <div style={{ height: "100%", display: "grid", placeItems: "center" }} className="empty">
      {text}
    </div>
  );
}
