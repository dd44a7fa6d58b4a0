/**
 * Takes out of what is written down what may let others in: user, password, query and fragment of URLs, and whatever is
 * named as a secret.
 */

const URLS = /\b([a-z][a-z0-9+.-]*:\/\/)([^\s"'<>]*)/gi;

/** Replaces by `…` what may be secret in any URL of the text. */
export function hideSecrets(text: string): string {
  return text.replace(URLS, (_url, scheme: string, rest: string) => {
    // A password may hold an @ that nobody escaped: the last one before the path ends it.
    const [place = "", behind] = cutAt(rest, /[?#]/);
    const authority = /^[^/]*/.exec(place)?.[0] ?? "";
    const at = authority.lastIndexOf("@");
    const shown = at === -1 ? place : `…${place.slice(at)}`;
    return `${scheme}${shown}${behind === undefined ? "" : "?…"}`;
  });
}

function cutAt(text: string, mark: RegExp): [string, string | undefined] {
  const at = text.search(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** What bears one of these names is a secret, whatever it is. */
const SECRET_NAMES = /^(authorization|cookie|token)$|passw|secret/i;

/** The same for every text inside a plain value, and what is called a secret is left out altogether. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === "string") return hideSecrets(value);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  const shown = Object.entries(value).map(([name, inside]) => [
    name,
    SECRET_NAMES.test(name) ? "…" : withoutSecrets(inside),
  ]);
  return Object.fromEntries(shown);
}
