/** The words of tasks in messages. */
import type { RecordedEvent } from "../../record/event.ts";
import type { TaskKind, Verification, WriteOptions } from "../../task/spec.ts";
import { type Stage, TASK_STATES } from "../../task/task.ts";
import { enumWords } from "./enum-words.ts";
import {
  CompressionSchema,
  TaskEventKindSchema,
  TaskKindSchema,
  TaskStageSchema,
  TaskStateSchema,
  VerificationSchema,
} from "./generated/diskferry/v1/task_pb.ts";

/** The keys of an object that must name each word. */
function all<Word extends string>(words: Readonly<Record<Word, true>>): readonly Word[] {
  return Object.keys(words) as Word[];
}

export const TASK_KINDS = all<TaskKind>({ export: true, import: true, copy: true });

export const KIND = enumWords(TaskKindSchema, TASK_KINDS);

export const STATE = enumWords(TaskStateSchema, TASK_STATES);

export const STAGE = enumWords(
  TaskStageSchema,
  all<Stage>({
    waiting: true,
    opening: true,
    planning: true,
    data: true,
    sealing: true,
    committing: true,
    verifying: true,
    cataloguing: true,
    ended: true,
  }),
);

export const VERIFICATION = enumWords(
  VerificationSchema,
  all<Verification>({ "by the store": true, "read back": true }),
);

export const COMPRESSION = enumWords(
  CompressionSchema,
  all<NonNullable<WriteOptions["compression"]>>({ none: true, zlib: true, zstd: true }),
);

export const EVENT = enumWords(
  TaskEventKindSchema,
  all<RecordedEvent["event"]["kind"]>({
    accepted: true,
    started: true,
    opened: true,
    planned: true,
    progressed: true,
    sealing: true,
    committing: true,
    verifying: true,
    cataloguing: true,
    "cancel-accepted": true,
    limited: true,
    parked: true,
    requeued: true,
    "cut-short": true,
    stopped: true,
    succeeded: true,
    failed: true,
  }),
);
