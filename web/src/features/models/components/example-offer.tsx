import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Rocket } from "lucide-react";
import { messageOf } from "@/shared/api/problem";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { deployExample, hasExample } from "../example";

export function ExampleButton({ kind = "primary" }: { kind?: "primary" | "plain" }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const deploy = useMutation({
    mutationFn: () =>
      deployExample(client, (model) => void navigate({ to: "/models/$modelId", params: { modelId: model.id } })),
  });
  if (!hasExample) return null;
  return (
    <div className="grid gap-1">
      <Button kind={kind} busy={deploy.isPending} icon={<Rocket size={16} aria-hidden />} onClick={() => deploy.mutate()}>
        {deploy.isPending ? text.models.exampleBusy : text.models.exampleAction}
      </Button>
      {deploy.error && (
        <p role="alert" className="text-sm text-bad">
          {messageOf(deploy.error)}
        </p>
      )}
    </div>
  );
}
