import { lexer, type Token, type Tokens } from "marked";
import { createElement, Fragment, type ReactNode, useMemo } from "react";

/**
 * Markdown as React elements: no HTML of the author ever becomes markup, a script shows as text. Links leave with
 * noopener; images are named, not loaded, for a README must not call home.
 */
export function Markdown({ source }: { source: string }) {
  const tokens = useMemo(() => lexer(source.slice(0, 200_000)), [source]);
  return <div className="grid gap-3 leading-relaxed [&_a]:text-accent [&_a]:underline">{tokens.map(block)}</div>;
}

function safeHref(href: string): string | null {
  return /^(https?:|mailto:)/i.test(href) ? href : null;
}

/** marked escapes for HTML; React escapes again. */
function plain(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name] ?? "");
}

function inline(tokens: Token[] | undefined): ReactNode[] {
  return (tokens ?? []).map((token, i) => {
    switch (token.type) {
      case "strong":
        return <strong key={i} className="font-semibold">{inline(token.tokens)}</strong>;
      case "em":
        return <em key={i}>{inline(token.tokens)}</em>;
      case "del":
        return <del key={i}>{inline(token.tokens)}</del>;
      case "codespan":
        return <code key={i} className="rounded bg-sunken px-1 py-0.5 text-[0.92em]">{plain((token as Tokens.Codespan).text)}</code>;
      case "br":
        return <br key={i} />;
      case "link": {
        const href = safeHref((token as Tokens.Link).href);
        const content = inline(token.tokens);
        return href ? <a key={i} href={href} target="_blank" rel="noopener noreferrer nofollow">{content}</a> : <Fragment key={i}>{content}</Fragment>;
      }
      case "image":
        return <span key={i} className="text-muted">[{(token as Tokens.Image).text || (token as Tokens.Image).href}]</span>;
      case "text":
        return <Fragment key={i}>{token.tokens ? inline(token.tokens) : plain((token as Tokens.Text).text)}</Fragment>;
      case "escape":
        return <Fragment key={i}>{plain((token as Tokens.Escape).text)}</Fragment>;
      default:
        return <Fragment key={i}>{token.raw}</Fragment>;
    }
  });
}

function block(token: Token, i: number): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading": {
      const depth = Math.min(6, (token as Tokens.Heading).depth + 1);
      return createElement(`h${depth}`, { key: i, className: depth <= 3 ? "mt-3 text-lg font-semibold" : "mt-2 font-semibold" }, inline(token.tokens));
    }
    case "paragraph":
      return <p key={i} className="break-words">{inline(token.tokens)}</p>;
    case "text":
      return <Fragment key={i}>{token.tokens ? inline(token.tokens) : (token as Tokens.Text).text}</Fragment>;
    case "code":
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scroll area must be reachable by keyboard
      return <pre key={i} tabIndex={0} className="overflow-x-auto rounded bg-code p-3 text-sm text-code-text">{(token as Tokens.Code).text}</pre>;
    case "blockquote":
      return <blockquote key={i} className="border-l-2 border-line-strong pl-4 text-muted">{(token.tokens ?? []).map(block)}</blockquote>;
    case "hr":
      return <hr key={i} className="border-line" />;
    case "list": {
      const list = token as Tokens.List;
      return createElement(
        list.ordered ? "ol" : "ul",
        { key: i, className: `grid gap-1 pl-5 ${list.ordered ? "list-decimal" : "list-disc"}` },
        list.items.map((item, n) => <li key={n}>{item.tokens.map(block)}</li>),
      );
    }
    case "table": {
      const table = token as Tokens.Table;
      return (
        <div key={i} className="overflow-x-auto">
          <table className="text-sm">
            <thead>
              <tr>{table.header.map((cell, n) => <th key={n} scope="col" className="border-b border-line px-3 py-1.5 text-left font-semibold">{inline(cell.tokens)}</th>)}</tr>
            </thead>
            <tbody>
              {table.rows.map((row, r) => (
                <tr key={r}>{row.map((cell, n) => <td key={n} className="border-b border-line px-3 py-1.5">{inline(cell.tokens)}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    }
    default:
      return <p key={i} className="font-mono text-sm break-words whitespace-pre-wrap">{token.raw}</p>;
  }
}
