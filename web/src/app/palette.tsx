import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ArrowRight, BookOpen, Boxes, CloudUpload, CornerDownLeft, Keyboard, type LucideIcon, MoonStar, Play, Plus } from "lucide-react";
import { useEffect, useId, useMemo, useState } from "react";
import { meQuery, modelsQuery } from "@/shared/api/queries";
import { setTheme, theme } from "@/shared/lib/theme";
import { text } from "@/shared/text";
import { Modal } from "@/shared/ui/modal";

interface Command {
  id: string;
  group: string;
  label: string;
  icon: LucideIcon;
  run: () => void;
}

export function Palette({ mode, onClose }: { mode: "search" | "shortcuts"; onClose: () => void }) {
  const [shown, setShown] = useState(mode);
  return shown === "shortcuts" ? (
    <Shortcuts onClose={onClose} />
  ) : (
    <Search onClose={onClose} onShortcuts={() => setShown("shortcuts")} />
  );
}

function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Modal open onClose={onClose} title={text.shell.shortcuts}>
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2">
        {text.shell.shortcutList.map(([combo, what]) => (
          <div key={combo} className="contents">
            <dt>
              <kbd className="rounded border border-line bg-sunken px-1.5 py-0.5 text-xs">{combo}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}

function Search({ onClose, onShortcuts }: { onClose: () => void; onShortcuts: () => void }) {
  const navigate = useNavigate();
  const models = useQuery(modelsQuery);
  const me = useQuery(meQuery).data;
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const listId = useId();
  const commands = useMemo<Command[]>(() => {
    const go = (to: "/dashboard" | "/models" | "/run" | "/jobs" | "/account" | "/admin", label: string): Command => ({
      id: to,
      group: text.shell.goTo,
      label,
      icon: ArrowRight,
      run: () => void navigate({ to }),
    });
    return [
      { id: "new", group: text.shell.actions, label: text.shell.newModel, icon: Plus, run: () => void navigate({ to: "/models", search: { create: true } }) },
      { id: "run", group: text.shell.actions, label: text.shell.run, icon: Play, run: () => void navigate({ to: "/run" }) },
      { id: "docs", group: text.shell.actions, label: text.shell.apiDocs, icon: BookOpen, run: () => window.open("/docs", "_blank", "noopener") },
      { id: "keys", group: text.shell.actions, label: text.shell.shortcuts, icon: Keyboard, run: onShortcuts },
      { id: "theme", group: text.shell.actions, label: text.shell.themeSwitch, icon: MoonStar, run: () => setTheme(theme() === "dark" ? "light" : "dark") },
      ...(models.data?.items ?? []).flatMap((model): Command[] => [
        {
          id: model.id,
          group: text.shell.modelsGroup,
          label: model.name,
          icon: Boxes,
          run: () => void navigate({ to: "/models/$modelId", params: { modelId: model.id } }),
        },
        { id: `run ${model.id}`, group: text.shell.run, label: text.shell.runModel(model.name), icon: Play, run: () => void navigate({ to: "/run", search: { model: model.id } }) },
        ...(model.owner_id === me?.id
          ? [
              {
                id: `upload ${model.id}`,
                group: text.shell.uploadGroup,
                label: text.shell.uploadTo(model.name),
                icon: CloudUpload,
                run: () => void navigate({ to: "/models/$modelId", params: { modelId: model.id }, search: { upload: true } }),
              },
            ]
          : []),
      ]),
      go("/dashboard", text.shell.dashboard),
      go("/models", text.shell.models),
      go("/jobs", text.shell.jobs),
      go("/account", text.shell.account),
      ...(me?.role === "admin" ? [go("/admin", text.shell.admin)] : []),
    ];
  }, [models.data, me, navigate, onShortcuts]);
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = commands.filter((each) => words.every((word) => each.label.toLowerCase().includes(word))).slice(0, 30);
  const active = Math.min(at, found.length - 1);
  useEffect(() => {
    document.getElementById(`${listId}-${active}`)?.scrollIntoView({ block: "nearest" });
  }, [active, listId]);
  const run = (command: Command | undefined) => {
    if (!command) return;
    if (command.id !== "keys") onClose();
    command.run();
  };
  return (
    <Modal open onClose={onClose} title={text.shell.palette} wide bare>
      <input
        // the dialog's first purpose is to type; showModal() focuses what has autofocus
        // eslint-disable-next-line jsx-a11y/no-autofocus
        autoFocus
        role="combobox"
        aria-expanded
        aria-controls={listId}
        aria-activedescendant={found.length ? `${listId}-${active}` : undefined}
        aria-label={text.shell.search}
        placeholder={text.shell.search}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setAt(Math.min(active + 1, found.length - 1));
          else if (event.key === "ArrowUp") setAt(Math.max(active - 1, 0));
          else if (event.key === "Enter") run(found[active]);
          else return;
          event.preventDefault();
        }}
        className="h-12 w-full border-b border-line bg-transparent px-4 text-lg outline-none placeholder:text-muted focus-visible:outline-none"
      />
      <ul id={listId} role="listbox" aria-label={text.shell.palette} className="max-h-[50dvh] overflow-auto p-2">
        {found.length === 0 && <li className="px-3 py-6 text-center text-muted">{text.shell.paletteEmpty}</li>}
        {found.map((command, i) => {
          const Icon = command.icon;
          return (
            // the keyboard works on the input, as a combobox has it
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events
            <li
              key={command.id + command.group}
              id={`${listId}-${i}`}
              role="option"
              aria-selected={i === active}
              onClick={() => run(command)}
              onMouseMove={() => setAt(i)}
              className="flex h-10 cursor-pointer items-center gap-3 rounded px-3 aria-selected:bg-accent-soft"
            >
              <Icon size={16} className="shrink-0 text-muted" aria-hidden />
              <span className="min-w-0 flex-1 truncate">{command.label}</span>
              <span className="text-xs text-muted">{command.group}</span>
              {i === active && <CornerDownLeft size={14} className="text-muted" aria-hidden />}
            </li>
          );
        })}
      </ul>
    </Modal>
  );
}
