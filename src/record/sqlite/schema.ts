/** The tables, as numbered steps. A step that has been published is never changed; what is new is one more step. */

/** Marks a file as ours: "dfry". */
export const APPLICATION_ID = 0x64667279;

const CATALOGUE = (name: string, more: string): string => `
  CREATE TABLE ${name} (
    id TEXT PRIMARY KEY,
    project TEXT,
    region TEXT ${more},
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
`;

/** What a row says beside its body is what is asked for by it. Numbers of AUTOINCREMENT are never used again. */
export const STEPS: readonly string[] = [
  `
  ${CATALOGUE("region", "")}
  ${CATALOGUE("project", "")}
  ${CATALOGUE("image", "NOT NULL REFERENCES region(id)")}
  ${CATALOGUE("volume", "NOT NULL REFERENCES region(id)")}
  ${CATALOGUE("destination", "NOT NULL REFERENCES region(id)")}
  ${CATALOGUE("key", "NOT NULL REFERENCES region(id)")}
  CREATE INDEX image_of_project ON image(project, region, name);
  CREATE INDEX image_of_region ON image(region);

  CREATE TABLE task (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    regions TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    ended_at INTEGER,
    not_before INTEGER,
    runner TEXT,
    reads_image TEXT,
    makes_image TEXT,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX task_of_project ON task(project, sequence);
  CREATE INDEX task_reads ON task(reads_image) WHERE reads_image IS NOT NULL;
  CREATE INDEX task_makes ON task(makes_image) WHERE makes_image IS NOT NULL;
  CREATE INDEX task_ended ON task(ended_at) WHERE ended_at IS NOT NULL;
  CREATE INDEX task_unfinished ON task(sequence) WHERE ended_at IS NULL;
  CREATE INDEX task_waiting ON task(state, kind, regions, sequence) WHERE ended_at IS NULL AND runner IS NULL;
  CREATE INDEX task_counted ON task(project, state, kind);
  CREATE INDEX task_of_week ON task(project, kind, accepted_at);
  CREATE INDEX task_held ON task(runner) WHERE runner IS NOT NULL;

  CREATE TABLE slot (
    task INTEGER NOT NULL REFERENCES task(sequence) ON DELETE CASCADE,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (task, region)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE claimed_name (
    name TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task(sequence) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX claimed_name_of_task ON claimed_name(task);

  CREATE TABLE client_token (
    project TEXT NOT NULL,
    action TEXT NOT NULL,
    region TEXT NOT NULL,
    token TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    given_at INTEGER NOT NULL,
    task INTEGER NOT NULL REFERENCES task(sequence) ON DELETE CASCADE,
    PRIMARY KEY (project, action, region, token)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX client_token_of_task ON client_token(task);

  CREATE TABLE event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    task TEXT NOT NULL REFERENCES task(id) ON DELETE CASCADE,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX event_of_task ON event(task, sequence);
  CREATE INDEX event_of_project ON event(project, sequence);
  `,
  `
  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_of_project ON audit(project, sequence);
  `,
  `
  CREATE INDEX destination_of_container ON destination(json_extract(body, '$.container'));
  `,
  `
  DROP INDEX task_waiting;
  CREATE INDEX task_in_line ON task(state, kind, regions, sequence, not_before, runner) WHERE ended_at IS NULL;
  CREATE INDEX task_held_back ON task(not_before) WHERE ended_at IS NULL AND not_before IS NOT NULL;
  CREATE INDEX client_token_given ON client_token(given_at);
  `,
  `
  CREATE TABLE unneeded (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    object TEXT NOT NULL,
    since INTEGER NOT NULL,
    UNIQUE (destination, object)
  ) STRICT;
  `,
  `
  CREATE TABLE nonce (
    key TEXT NOT NULL,
    nonce TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (key, nonce)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX nonce_at ON nonce(at);
  `,
];
