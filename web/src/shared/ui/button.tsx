import { Loader2 } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";

type Kind = "primary" | "plain" | "ghost" | "danger";

const LOOK: Record<Kind, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-hover border-transparent",
  plain: "bg-raised text-text border-line-strong hover:bg-sunken",
  ghost: "bg-transparent text-text border-transparent hover:bg-sunken",
  danger: "bg-raised text-bad border-line-strong hover:bg-bad-soft",
};

/** Classes of a button, for links that look like one. */
export function buttonClass(kind: Kind = "plain", size: "sm" | "md" = "md", extra = ""): string {
  const box = size === "sm" ? "h-8 px-2.5 text-sm" : "h-9 px-3.5 text-base max-md:h-11";
  return `inline-flex shrink-0 items-center justify-center gap-2 rounded border font-medium whitespace-nowrap transition-colors duration-150 select-none disabled:opacity-50 ${box} ${LOOK[kind]} ${extra}`;
}

interface Props extends ComponentProps<"button"> {
  kind?: Kind;
  size?: "sm" | "md";
  busy?: boolean;
  icon?: ReactNode;
}

export function Button({ kind = "plain", size = "md", busy, icon, children, className = "", ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
      className={buttonClass(kind, size, className)}
    >
      {busy ? <Loader2 size={16} className="animate-spin" aria-hidden /> : icon}
      {children}
    </button>
  );
}

interface IconProps extends ComponentProps<"button"> {
  label: string;
  pressed?: boolean;
}

/** A button of one icon: its label is read out and shown on hover. */
export function IconButton({ label, pressed, className = "", children, ...rest }: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      {...rest}
      className={`inline-flex size-8 shrink-0 items-center justify-center rounded text-muted transition-colors hover:bg-sunken hover:text-text disabled:opacity-40 aria-pressed:bg-accent-soft aria-pressed:text-accent max-md:size-10 ${className}`}
    >
      {children}
    </button>
  );
}
