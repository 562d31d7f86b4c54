import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { MonitorSmartphone } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { meQuery } from "@/shared/api/queries";
import { session } from "@/shared/api/session";
import type { Page, SessionInfo } from "@/shared/api/types";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Input } from "@/shared/ui/field";
import { ErrorNote, Facts, PageHead, Section, Skeleton, SkeletonRows, Time } from "@/shared/ui/misc";
import { toast } from "@/shared/ui/toasts";

const words = text.account;

export function AccountPage() {
  const me = useQuery(meQuery);
  return (
    <>
      <PageHead title={words.title} />
      <div className="grid max-w-2xl gap-8">
        <Section title={words.profile}>
          {me.error ? (
            <ErrorNote error={me.error} retry={() => void me.refetch()} />
          ) : me.data ? (
            <div className="card p-5">
              <Facts
                rows={[
                  [words.username, me.data.username],
                  [words.email, me.data.email],
                  [words.role, words.roles[me.data.role] ?? me.data.role],
                  [words.since, <Time key="t" at={me.data.created_at} />],
                ]}
              />
            </div>
          ) : (
            <Skeleton className="h-36" />
          )}
        </Section>
        <PasswordForm />
        <Sessions />
      </div>
    </>
  );
}

function PasswordForm() {
  const [form, setForm] = useState({ current_password: "", new_password: "" });
  const [checked, setChecked] = useState(false);
  const change = useMutation({
    mutationFn: () => api.post("/api/users/me/password", form),
    onSuccess: () => {
      setForm({ current_password: "", new_password: "" });
      setChecked(false);
      toast({ tone: "good", title: words.changed });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (form.new_password.length >= 8) change.mutate();
  };
  return (
    <Section title={words.password}>
      <form onSubmit={submit} className="card grid gap-4 p-5">
        <Input label={words.current} type="password" autoComplete="current-password" required value={form.current_password} error={change.error ? messageOf(change.error) : null} onChange={(event) => setForm({ ...form, current_password: event.target.value })} />
        <Input label={words.next} type="password" autoComplete="new-password" required hint={words.tooShort} value={form.new_password} error={checked && form.new_password.length < 8 ? words.tooShort : null} onChange={(event) => setForm({ ...form, new_password: event.target.value })} />
        <Button type="submit" className="justify-self-start" busy={change.isPending}>
          {words.changePassword}
        </Button>
      </form>
    </Section>
  );
}

/** "Firefox on Linux" from what a browser says of itself. */
export function deviceOf(agent: string): string {
  const browser = /Edg\//.test(agent) ? "Edge" : /Firefox\//.test(agent) ? "Firefox" : /Chrome\//.test(agent) ? "Chrome" : /Safari\//.test(agent) ? "Safari" : agent.split(/[ /]/)[0];
  const system = /Android/.test(agent) ? "Android" : /iPhone|iPad/.test(agent) ? "iOS" : /Windows/.test(agent) ? "Windows" : /Mac OS/.test(agent) ? "macOS" : /Linux/.test(agent) ? "Linux" : "";
  return browser ? (system ? words.deviceOn(browser, system) : browser) : words.unknownDevice;
}

function Sessions() {
  const client = useQueryClient();
  const sessions = useQuery({
    queryKey: keys.sessions,
    queryFn: async () => (await api.get<Page<SessionInfo>>("/api/users/me/sessions")).items,
  });
  const end = useMutation({
    mutationFn: (id: string) => api.delete(`/api/users/me/sessions/${id}`),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.sessions }),
  });
  const endAll = useMutation({
    mutationFn: () => api.delete("/api/users/me/sessions"),
    onSuccess: () => session.end(),
  });
  const error = end.error ?? endAll.error;
  return (
    <Section
      title={words.sessions}
      aside={
        <Button size="sm" kind="danger" busy={endAll.isPending} onClick={() => endAll.mutate()}>
          {words.endOthers}
        </Button>
      }
    >
      <p className="mb-3 text-sm text-muted">{words.sessionsLine}</p>
      {error && <ErrorNote error={error} />}
      {sessions.error ? (
        <ErrorNote error={sessions.error} retry={() => void sessions.refetch()} />
      ) : !sessions.data ? (
        <SkeletonRows count={2} className="h-16" />
      ) : (
        <ul className="card divide-y divide-line">
          {sessions.data.map((each) => (
            <li key={each.id} className="flex items-center gap-3 p-3">
              <MonitorSmartphone size={18} className="shrink-0 text-muted" aria-hidden />
              <span className="min-w-0 flex-1">
                <span className="block truncate font-medium" title={each.user_agent}>
                  {deviceOf(each.user_agent)}
                </span>
                <span className="text-xs text-muted">
                  {each.address} · {words.used} <Time at={each.last_used_at} />
                </span>
              </span>
              {each.current ? (
                <span className="text-sm text-muted">{words.thisOne}</span>
              ) : (
                <Button size="sm" busy={end.isPending && end.variables === each.id} onClick={() => end.mutate(each.id)}>
                  {words.end}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
