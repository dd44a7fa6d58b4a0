/** What callers see of the catalogue, and what admins change in it. */
import type { Versioned } from "../catalog/entry.ts";
import type { Shelf } from "../record/record.ts";
import type { Caller } from "./caller.ts";
import { type Reason, refusal, withReason } from "./refusal.ts";
import type { Entries } from "./service.ts";
import { limitOf } from "./task-list.ts";
import { checkName } from "./wellformed.ts";

export interface Kind<Entry> {
  readonly name: "region" | "project" | "image" | "volume" | "destination" | "key";
  readonly missing: Reason;
  readonly shelf: Shelf<Entry>;
  readonly id: (entry: Entry) => string;
  readonly sees: (caller: Caller, entry: Entry) => boolean;
  /** What the caller sees of it; absent: all. */
  readonly shows?: (caller: Caller, entry: Entry) => Entry;
  /** `own`: users list what is theirs, though they may see more. */
  readonly lists: "own" | "all";
  /** What an entry must be like; throws a refusal. */
  readonly check?: (entry: Entry) => void;
  /** Makes what must be there before a new entry is; throws the refusal of what can only be replaced. */
  readonly prepares?: (entry: Entry) => Promise<void>;
  /** An entry that replaces another, with what no caller can give it. */
  readonly keeps?: (entry: Entry, known: Entry) => Entry;
  /** Told of every change that was made. */
  readonly changed?: () => void;
}

export type Audited = <T>(
  caller: Caller,
  action: string,
  subject: string,
  work: () => Promise<T>,
) => Promise<T>;

export function entries<Entry>(kind: Kind<Entry>, audited: Audited): Entries<Entry> {
  const { name, shelf, id, sees, missing } = kind;
  const notFound = (wanted: string) => refusal(missing, `there is no ${name} ${wanted}`);
  const change = <T>(caller: Caller, action: string, subject: string, work: () => Promise<T>): Promise<T> =>
    audited(caller, `${action} ${name}`, subject, async () => {
      if (caller.role !== "admin") throw refusal("admins-only", `only admins ${action} a ${name}`);
      const done = await work().catch((error: unknown) => {
        throw withReason(error);
      });
      kind.changed?.();
      return done;
    });
  const shown = (caller: Caller, { entry, version }: Versioned<Entry>): Versioned<Entry> => ({
    entry: kind.shows?.(caller, entry) ?? entry,
    version,
  });
  const check = (entry: Entry): void => {
    checkName("id", id(entry), 128);
    kind.check?.(entry);
  };
  return {
    async get(caller, wanted) {
      const found = await shelf.get(wanted);
      if (found === undefined || !sees(caller, found.entry)) throw notFound(wanted);
      return shown(caller, found);
    },
    async list(caller, { limit, after, ...query }) {
      const own = kind.lists === "own" && caller.role !== "admin" ? { project: caller.project } : {};
      const most = limitOf(limit);
      const seen: Versioned<Entry>[] = [];
      for (let from = after ?? ""; ; ) {
        const page = await shelf.list({ ...query, ...own, limit: most + 1, after: from });
        seen.push(...page.filter(({ entry }) => sees(caller, entry)));
        const last = page.at(-1);
        if (last === undefined || page.length <= most || seen.length > most) break;
        from = id(last.entry);
      }
      const listed = seen.slice(0, most);
      const last = listed.at(-1);
      return {
        entries: listed.map((found) => shown(caller, found)),
        ...(seen.length > most && last !== undefined ? { next: id(last.entry) } : {}),
      };
    },
    register: (caller, entry) =>
      change(caller, "register", id(entry), async () => {
        check(entry);
        await kind.prepares?.(entry);
        return shelf.add(entry);
      }),
    replace: (caller, entry, version) =>
      change(caller, "replace", id(entry), async () => {
        check(entry);
        const known = await shelf.get(id(entry));
        const kept = known === undefined ? undefined : kind.keeps?.(entry, known.entry);
        return shelf.replace(kept ?? entry, version);
      }),
    unregister: (caller, wanted, version) =>
      change(caller, "unregister", wanted, () => shelf.remove(wanted, version)),
  };
}
