import { ChevronDown } from "lucide-react";
import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from "react";

const BOX =
  "rounded border border-line-strong bg-raised px-3 text-base text-text placeholder:text-muted hover:border-muted aria-invalid:border-bad disabled:opacity-60 max-md:text-lg";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | null | undefined;
}

function Frame({ id, label, hint, error, children }: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children}
      {error ? (
        <p id={`${id}-note`} className="text-sm text-bad" role="alert">
          {error}
        </p>
      ) : (
        hint && (
          <p id={`${id}-note`} className="text-sm text-muted">
            {hint}
          </p>
        )
      )}
    </div>
  );
}

type InputProps = FieldProps & InputHTMLAttributes<HTMLInputElement>;

export function Input({ label, hint, error, className = "", ...rest }: InputProps) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        id={id}
        aria-describedby={hint || error ? `${id}-note` : undefined}
        aria-invalid={error ? true : undefined}
        {...rest}
        className={`${BOX} h-9 w-full max-md:h-11 ${className}`}
      />
    </Frame>
  );
}

export function TextArea({ label, hint, error, ...rest }: FieldProps & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea
        id={id}
        rows={3}
        aria-describedby={hint || error ? `${id}-note` : undefined}
        aria-invalid={error ? true : undefined}
        {...rest}
        className={`${BOX} w-full py-2`}
      />
    </Frame>
  );
}

export function Select({ label, hint, error, ...rest }: FieldProps & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <Arrowed>
        <select id={id} {...rest} className={`${BOX} h-9 w-full appearance-none pr-9 max-md:h-11`} />
      </Arrowed>
    </Frame>
  );
}

function Arrowed({ children, className = "" }: { children: ReactNode; className?: string }) {
  return (
    <span className={`relative block ${className}`}>
      {children}
      <ChevronDown size={15} aria-hidden className="pointer-events-none absolute top-1/2 right-3 -translate-y-1/2 max-md:right-2 text-muted" />
    </span>
  );
}

/** A select in a toolbar: its label is read out only. */
export function BareSelect({ label, className = "", ...rest }: { label: string } & SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <Arrowed className={className}>
      <select aria-label={label} {...rest} className={`${BOX} h-9 w-full appearance-none pr-9 max-md:h-11 max-md:pr-6 max-md:pl-2`} />
    </Arrowed>
  );
}

export function BareInput({ label, className = "", ...rest }: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return <input aria-label={label} {...rest} className={`${BOX} h-9 max-md:h-11 ${className}`} />;
}

export function Checkbox({ label, hint, ...rest }: { label: string; hint?: string } & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <div className="flex items-start gap-2.5">
      <input id={id} type="checkbox" {...rest} className="mt-0.5 size-4 accent-accent" />
      <div>
        <label htmlFor={id} className="text-base font-medium">
          {label}
        </label>
        {hint && <p className="text-sm text-muted">{hint}</p>}
      </div>
    </div>
  );
}
