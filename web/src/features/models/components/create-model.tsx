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
import { Modal } from "@/shared/ui/modal";

export function CreateModel({ open, onClose }: { open: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [form, setForm] = useState({ name: "", description: "", is_public: false });
  const [checked, setChecked] = useState(false);
  const create = useMutation({
    mutationFn: () => api.post<Model>("/api/models/", { ...form, name: form.name.trim() }),
    onSuccess: (model) => {
      client.setQueryData(keys.model(model.id), model);
      client.setQueryData<Page<Model>>(keys.models, (old) => old && { ...old, items: [model, ...old.items] });
      setForm({ name: "", description: "", is_public: false });
      void navigate({ to: "/models/$modelId", params: { modelId: model.id } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (form.name.trim()) create.mutate();
  };
  return (
    <Modal open={open} onClose={onClose} title={text.models.createTitle}>
      <form onSubmit={submit} noValidate className="grid gap-4">
        <Input
          label={text.models.name}
          name="name"
          maxLength={200}
          hint={text.models.nameHint}
          value={form.name}
          error={checked && !form.name.trim() ? text.models.nameNeeded : create.error ? messageOf(create.error) : null}
          onChange={(event) => setForm({ ...form, name: event.target.value })}
        />
        <TextArea
          label={text.models.description}
          name="description"
          maxLength={10_000}
          hint={text.models.descriptionHint}
          value={form.description}
          onChange={(event) => setForm({ ...form, description: event.target.value })}
        />
        <Checkbox
          label={text.models.makePublic}
          hint={text.models.makePublicHint}
          checked={form.is_public}
          onChange={(event) => setForm({ ...form, is_public: event.target.checked })}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{text.common.cancel}</Button>
          <Button type="submit" kind="primary" busy={create.isPending}>
            {text.models.createAction}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
