import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import type { Model, Page } from "@/shared/api/types";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Checkbox, Input, TextArea } from "@/shared/ui/field";
import { Confirm } from "@/shared/ui/modal";
import { toast } from "@/shared/ui/toasts";

export function ModelSettings({ model }: { model: Model }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [form, setForm] = useState({ name: model.name, description: model.description, is_public: model.is_public });
  const [asking, setAsking] = useState(false);
  const inList = (change: (items: Model[]) => Model[]) =>
    client.setQueryData<Page<Model>>(keys.models, (old) => old && { ...old, items: change(old.items) });
  const save = useMutation({
    mutationFn: () => api.patch<Model>(`/api/models/${model.id}`, form),
    onSuccess: (saved) => {
      client.setQueryData(keys.model(model.id), saved);
      inList((items) => items.map((each) => (each.id === model.id ? saved : each)));
      toast({ tone: "good", title: text.common.saved });
    },
  });
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/models/${model.id}`),
    onSuccess: () => {
      inList((items) => items.filter((each) => each.id !== model.id));
      toast({ tone: "info", title: text.models.deleted(model.name) });
      void navigate({ to: "/models", search: {} });
      void client.invalidateQueries({ queryKey: ["jobs"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (form.name.trim()) save.mutate();
  };
  return (
    <div className="grid max-w-xl gap-8">
      <form onSubmit={submit} className="card grid gap-4 p-5">
        <Input
          label={text.models.name}
          value={form.name}
          maxLength={200}
          error={form.name.trim() ? (save.error ? messageOf(save.error) : null) : text.models.nameNeeded}
          onChange={(event) => setForm({ ...form, name: event.target.value })}
        />
        <TextArea label={text.models.description} value={form.description} onChange={(event) => setForm({ ...form, description: event.target.value })} />
        <Checkbox
          label={text.models.makePublic}
          hint={text.models.makePublicHint}
          checked={form.is_public}
          onChange={(event) => setForm({ ...form, is_public: event.target.checked })}
        />
        <Button type="submit" kind="primary" className="justify-self-start" busy={save.isPending}>
          {text.models.saveChanges}
        </Button>
      </form>
      <section className="card grid gap-3 border-bad/40 p-5">
        <h2>{text.models.danger}</h2>
        <p className="text-sm text-muted">{text.models.dangerLine}</p>
        <Button kind="danger" className="justify-self-start" onClick={() => setAsking(true)}>
          {text.models.deleteModel}
        </Button>
      </section>
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        onConfirm={() => remove.mutate()}
        title={text.models.deleteModelTitle(model.name)}
        body={text.models.dangerLine}
        action={text.models.deleteModel}
        busy={remove.isPending}
        error={remove.error ? messageOf(remove.error) : null}
      />
    </div>
  );
}
