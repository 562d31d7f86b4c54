import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { ApiError, messageOf } from "@/shared/api/problem";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Input } from "@/shared/ui/field";
import { logIn } from "../api";
import { AuthCard } from "../components/card";

export function LoginPage() {
  const { next } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationFn: () => logIn(username.trim(), password),
    onSuccess: () => navigate({ href: next ?? "/dashboard", replace: true }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  const error = login.error && (login.error instanceof ApiError && login.error.status === 401 ? text.auth.wrong : messageOf(login.error));
  return (
    <AuthCard
      title={text.auth.loginTitle}
      foot={
        <>
          {text.auth.noAccount}{" "}
          <Link to="/register" search={next ? { next } : {}} className="font-medium text-accent underline">
            {text.auth.register}
          </Link>
        </>
      }
    >
      <form onSubmit={submit} className="grid gap-4">
        <Input label={text.auth.username} name="username" autoComplete="username" autoCapitalize="none" required value={username} onChange={(e) => setUsername(e.target.value)} />
        <Input label={text.auth.password} name="password" type="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} error={error} />
        <Button type="submit" kind="primary" busy={login.isPending}>
          {text.auth.login}
        </Button>
      </form>
    </AuthCard>
  );
}
