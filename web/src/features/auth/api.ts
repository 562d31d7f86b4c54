import { call } from "@/shared/api/http";
import { session } from "@/shared/api/session";
import type { Tokens, User } from "@/shared/api/types";

export async function logIn(username: string, password: string): Promise<void> {
  const tokens = await call<Tokens>("POST", "/api/users/login", {
    body: { username, password, session: "cookie" },
    anonymous: true,
  });
  session.begin(tokens);
}

export async function register(username: string, email: string, password: string): Promise<void> {
  await call<User>("POST", "/api/users/register", { body: { username, email, password }, anonymous: true });
  await logIn(username, password);
}
