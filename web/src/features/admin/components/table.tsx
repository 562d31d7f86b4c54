import type { ReactNode } from "react";
import { text } from "@/shared/text";
import { ErrorNote, SkeletonRows } from "@/shared/ui/misc";

export interface Column<T> {
  title: string;
  cell: (row: T) => ReactNode;
  /** Numbers stand right, so that digits stand below each other. */
  number?: boolean;
  /** Left out where there is no room for all. */
  spare?: boolean;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: T[] | undefined;
  id: (row: T) => string;
  empty: string;
  error?: unknown;
  retry?: () => void;
  actions?: (row: T) => ReactNode;
}

export function Table<T>({ label, columns, rows, id, empty, error, retry, actions }: Props<T>) {
  if (error) return <ErrorNote error={error} {...(retry && { retry })} />;
  if (!rows) return <SkeletonRows count={5} className="h-10" />;
  if (!rows.length) return <p className="card p-6 text-center text-sm text-muted">{empty}</p>;
  const side = (column: Column<T>) => `${column.number ? "text-right tnum" : "text-left"} ${column.spare ? "max-lg:hidden" : ""}`;
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scroll area must be reachable by keyboard
    <div className="card relative overflow-x-auto" role="region" aria-label={label} tabIndex={0}>
      <table className="w-full text-sm">
        <thead className="bg-sunken text-xs text-muted">
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" className={`px-3 py-2 font-medium whitespace-nowrap ${side(column)}`}>
                {column.title}
              </th>
            ))}
            {actions && (
              <th scope="col" className="px-3 py-2">
                <span className="sr-only">{text.admin.actions}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {rows.map((row) => (
            <tr key={id(row)}>
              {columns.map((column) => (
                <td key={column.title} className={`max-w-80 truncate px-3 py-2 whitespace-nowrap ${side(column)}`}>
                  {column.cell(row)}
                </td>
              ))}
              {actions && <td className="px-3 py-1.5 text-right whitespace-nowrap">{actions(row)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A state in a word and a mark: never colour alone. */
export function Mark({ tone, children }: { tone: "good" | "warn" | "bad" | "muted"; children: ReactNode }) {
  const look = { good: "bg-good", warn: "bg-warn", bad: "bg-bad", muted: "bg-line-strong" }[tone];
  return (
    <span className="inline-flex items-center gap-2">
      <span aria-hidden className={`size-2 shrink-0 rounded-full ${look}`} />
      {children}
    </span>
  );
}
