import { X } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef } from "react";
import { text } from "@/shared/text";
import { Button, IconButton } from "./button";

interface Props {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  wide?: boolean;
  bare?: boolean;
}

/** The browser's own modal dialog: focus is kept inside and goes back where it came from, Escape closes. */
export function Modal({ open, onClose, title, children, wide, bare }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    if (open && !dialog.open) {
      dialog.showModal();
      // a form begins at its first field, not at its close button
      dialog.querySelector<HTMLElement>("input, textarea, select")?.focus();
    }
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    // a click on the backdrop is a click on the dialog itself; Escape does the same for keyboards
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === ref.current && onClose()}
      className={`m-auto max-h-[85dvh] w-[calc(100vw-2rem)] overflow-auto rounded border border-line bg-raised p-0 shadow-float ${bare ? "mt-[12dvh]" : ""} ${wide ? "max-w-2xl" : "max-w-md"}`}
    >
      {open && (
        <div className={bare ? "" : "p-5"}>
          <div className={bare ? "sr-only" : "mb-4 flex items-center justify-between gap-4"}>
            <h2 id={id} className="text-lg font-semibold">
              {title}
            </h2>
            {!bare && (
              <IconButton label={text.common.close} onClick={onClose}>
                <X size={18} aria-hidden />
              </IconButton>
            )}
          </div>
          {children}
        </div>
      )}
    </dialog>
  );
}

interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  onConfirm: () => void;
  title: string;
  body: ReactNode;
  action: string;
  busy?: boolean;
  error?: string | null;
}

export function Confirm({ open, onClose, onConfirm, title, body, action, busy, error }: ConfirmProps) {
  return (
    <Modal open={open} onClose={onClose} title={title}>
      <div className="grid gap-4">
        <div className="text-muted">{body}</div>
        {error && (
          <p className="text-sm text-bad" role="alert">
            {error}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{text.common.cancel}</Button>
          <Button kind="danger" busy={busy ?? false} onClick={onConfirm}>
            {action}
          </Button>
        </div>
      </div>
    </Modal>
  );
}
