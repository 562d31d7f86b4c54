import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { token, useTheme } from "@/shared/lib/theme";
import { text } from "@/shared/text";

const S = 1000;
const MIN = 60 * S;
const H = 60 * MIN;
/** Milliseconds between the marks of an axis: a step is round in the unit that it is written in. */
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, S, 2 * S, 5 * S, 10 * S, 15 * S, 30 * S, MIN, 2 * MIN, 5 * MIN, 10 * MIN, 15 * MIN, 30 * MIN, H, 2 * H, 6 * H, 12 * H, 24 * H, 96 * H];

interface Props {
  label: string;
  points: { at: number; value: number }[];
  format: (value: number) => string;
  /** Labels of an axis, which belong together. */
  ticks: (values: number[]) => string[];
}

/** A small chart in the page's colours, with a table behind it for screen readers. */
export function Chart({ label, points, format, ticks }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  useEffect(() => {
    const element = box.current;
    if (!element || points.length < 2) return;
    const muted = token("muted");
    const axis = { stroke: muted, grid: { stroke: token("line"), width: 1 }, ticks: { show: false }, font: "11px 'Inter Variable', sans-serif" };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: 168,
        legend: { show: false },
        cursor: { y: false, points: { size: 7 } },
        scales: { x: { time: false }, y: { range: (_, __, max) => [0, max * 1.15 || 1] } },
        axes: [
          { ...axis, size: 26, grid: { show: false }, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) && tick > 0 ? String(tick) : "")) },
          { ...axis, size: 58, incrs: STEPS, values: (_, at) => ticks(at) },
        ],
        series: [{}, { stroke: token("accent"), fill: token("accent-soft"), width: 1.75, points: { show: points.length < 40, size: 5, fill: token("accent") } }],
      },
      [points.map((_, i) => i + 1), points.map((point) => point.value)],
      element,
    );
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 168 }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [points, ticks, theme]);
  return (
    <figure className="card relative min-w-0 p-4">
      <figcaption className="mb-2 text-sm font-medium">{label}</figcaption>
      {points.length < 2 ? (
        <p className="grid h-[168px] place-items-center text-sm text-muted">{text.dashboard.chartEmpty}</p>
      ) : (
        <div ref={box} aria-hidden className="h-[168px] overflow-hidden" />
      )}
      <div className="sr-only">
        <table>
        <caption>{text.dashboard.tableOf(label)}</caption>
        <thead>
          <tr>
            <th scope="col">{text.dashboard.job}</th>
            <th scope="col">{text.dashboard.value}</th>
          </tr>
        </thead>
        <tbody>
          {points.map((point, i) => (
            <tr key={i}>
              <td>{i + 1}</td>
              <td>{format(point.value)}</td>
            </tr>
          ))}
        </tbody>
        </table>
      </div>
    </figure>
  );
}
