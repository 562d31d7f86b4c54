import { Link } from "@tanstack/react-router";
import { buttonClass } from "@/shared/ui/button";
import { ErrorNote } from "@/shared/ui/misc";
import { text } from "@/shared/text";
import { useTitle } from "@/shared/lib/title";

export function NotFoundPage() {
  useTitle(text.common.notFound);
  return (
    <main className="mx-auto grid max-w-md gap-4 px-6 py-24 text-center">
      <h1>{text.common.notFound}</h1>
      <p className="text-muted">{text.common.notFoundLine}</p>
      <Link to="/dashboard" className={buttonClass("primary", "md", "justify-self-center")}>
        {text.common.home}
      </Link>
    </main>
  );
}

/** Before anything is known: this browser has a session, and the platform does not answer. */
export function AwayPage() {
  useTitle(text.common.away);
  return (
    <main className="mx-auto grid max-w-md gap-3 px-6 py-24 text-center" role="status">
      <h1>{text.common.away}</h1>
      <p className="text-muted">{text.common.awayLine}</p>
    </main>
  );
}

export function CrashPage({ error, reset }: { error: unknown; reset: () => void }) {
  return (
    <main className="mx-auto max-w-xl px-6 py-24">
      <ErrorNote title={text.common.crashed} error={error} retry={reset} />
    </main>
  );
}
