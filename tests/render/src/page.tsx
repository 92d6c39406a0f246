// The dashboard: a line with its name, variables and links, and Grafana's grid of 24 columns.

import type { TimeRange } from "@grafana/data";
import { Icon, toIconName, useTheme2 } from "@grafana/ui";
import type { Mark } from "./annotations";
import type { Dashboard, Panel as PanelJson } from "./dashboard";
import { Panel } from "./panel";
import type { Values } from "./variables";

const ROW_HEIGHT = 30;
const GAP = 8;
const MARGIN = 16;
const HEADER_HEIGHT = 48;

interface Props {
  dashboard: Dashboard;
  width: number;
  range: TimeRange;
  values: Values;
  marks: Mark[];
  onDone: (panel: PanelJson, error?: unknown) => void;
}

export function Page({ dashboard, width, range, values, marks, onDone }: Props) {
  const theme = useTheme2();
  const column = (width - 2 * MARGIN + GAP) / 24;
  const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const height = HEADER_HEIGHT + bottom * (ROW_HEIGHT + GAP) + GAP;
  return (
    <div style={{ position: "relative", width, height, background: theme.colors.background.canvas }}>
      <Header dashboard={dashboard} range={range} values={values} />
      {dashboard.panels.map((panel) => {
        const { x, y, w, h } = panel.gridPos;
        const place = {
          left: MARGIN + x * column,
          top: HEADER_HEIGHT + y * (ROW_HEIGHT + GAP),
          width: w * column - GAP,
          height: h * (ROW_HEIGHT + GAP) - GAP,
        };
        return (
          <div key={panel.id} style={{ position: "absolute", ...place }}>
            {panel.type === "row" ? (
              <Row title={panel.title} />
            ) : (
              <Panel
                panel={panel}
                width={place.width}
                height={place.height}
                range={range}
                values={values}
                marks={marks}
                onDone={(error) => onDone(panel, error)}
              />
            )}
          </div>
        );
      })}
    </div>
  );
}

function Header({ dashboard, range, values }: Pick<Props, "dashboard" | "range" | "values">) {
  const { colors, shape } = useTheme2();
  const box = {
    padding: "4px 8px",
    background: colors.background.primary,
    border: `1px solid ${colors.border.medium}`,
    borderRadius: shape.radius.default,
  };
  const shown = dashboard.templating.list.filter(({ hide }) => hide === 0);
  return (
    <div style={{ display: "flex", alignItems: "center", gap: 12, height: HEADER_HEIGHT, padding: `0 ${MARGIN}px` }}>
      <strong style={{ fontSize: 16, marginRight: 12 }}>{dashboard.title}</strong>
      {shown.map(({ name, label }) => (
        <span key={name} style={box}>
          {label} <span style={{ color: colors.primary.text }}>{values[name].text}</span>
        </span>
      ))}
      <span style={{ flexGrow: 1 }} />
      {dashboard.links.map(({ title, icon, type }) => (
        <span key={title} style={box}>
          <Icon name={type === "dashboards" ? "bars" : (toIconName(icon) ?? "file-alt")} /> {title}
        </span>
      ))}
      <span style={box}>
        <Icon name="clock-nine" /> {String(range.raw.from)} to {String(range.raw.to)}
      </span>
    </div>
  );
}

function Row({ title }: { title: string }) {
  return (
    <div style={{ height: "100%", display: "flex", alignItems: "center", gap: 8, fontSize: 16 }}>
      <Icon name="angle-down" /> {title}
    </div>
  );
}
