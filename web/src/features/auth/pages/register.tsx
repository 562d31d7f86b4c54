import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { messageOf } from "@/shared/api/problem";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { Input } from "@/shared/ui/field";
import { register } from "../api";
import { AuthCard } from "../components/card";

export function RegisterPage() {
  const { next } = useSearch({ from: "/register" });
  const navigate = useNavigate();
  const [form, setForm] = useState({ username: "", email: "", password: "" });
  const [checked, setChecked] = useState(false);
  const faults = {
    username: /^[A-Za-z0-9._-]{3,64}$/.test(form.username) ? null : text.auth.usernameShort,
    email: /^\S+@\S+\.\S+$/.test(form.email) ? null : text.auth.emailInvalid,
    password: form.password.length >= 8 ? null : text.auth.passwordShort,
  };
  const create = useMutation({
    mutationFn: () => register(form.username, form.email, form.password),
    onSuccess: () => navigate({ href: next ?? "/dashboard", replace: true }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!Object.values(faults).some(Boolean)) create.mutate();
  };
  const field = (name: keyof typeof form) => ({
    name,
    value: form[name],
    error: checked ? faults[name] : null,
    onChange: (event: { target: { value: string } }) => setForm({ ...form, [name]: event.target.value }),
  });
  return (
    <AuthCard
      title={text.auth.registerTitle}
      foot={
        <>
          {text.auth.haveAccount}{" "}
          <Link to="/login" search={next ? { next } : {}} className="font-medium text-accent underline">
            {text.auth.login}
          </Link>
        </>
      }
    >
      <form onSubmit={submit} noValidate className="grid gap-4">
        <Input label={text.auth.username} autoComplete="username" autoCapitalize="none" hint={text.auth.usernameHint} {...field("username")} />
        <Input label={text.auth.email} type="email" autoComplete="email" {...field("email")} />
        <Input label={text.auth.password} type="password" autoComplete="new-password" hint={text.auth.passwordHint} {...field("password")} />
        {create.error && (
          <p role="alert" className="text-sm text-bad">
            {messageOf(create.error)}
          </p>
        )}
        <Button type="submit" kind="primary" busy={create.isPending}>
          {text.auth.register}
        </Button>
      </form>
    </AuthCard>
  );
}
