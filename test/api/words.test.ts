import { describe, expect, it } from "vitest";
import { enumWords } from "../../src/api/connect/enum-words.ts";
import { ImageStatus, ImageStatusSchema } from "../../src/api/connect/generated/diskferry/v1/image_pb.ts";
import { TaskStateSchema } from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { VolumeStatus, VolumeStatusSchema } from "../../src/api/connect/generated/diskferry/v1/volume_pb.ts";
import { IMAGE_STATUSES } from "../../src/catalog/image.ts";
import { VOLUME_STATUSES } from "../../src/catalog/volume.ts";
import { TASK_STATES } from "../../src/task/task.ts";

describe("the words of an enum", () => {
  it.each([
    ["image statuses", ImageStatusSchema, IMAGE_STATUSES],
    ["volume statuses", VolumeStatusSchema, VOLUME_STATUSES],
    ["task states", TaskStateSchema, TASK_STATES],
  ] as const)("go there and back: %s", (_, schema, words) => {
    const { wire, word } = enumWords<string, number>(schema, words);
    expect(words.map((one) => word("f", wire(one)))).toEqual(words);
    // All but UNSPECIFIED have a word.
    expect(schema.values).toHaveLength(words.length + 1);
  });

  it("are told by their letters", () => {
    expect(enumWords(ImageStatusSchema, IMAGE_STATUSES).wire("UnAvailable")).toBe(ImageStatus.UNAVAILABLE);
    expect(enumWords(VolumeStatusSchema, VOLUME_STATUSES).wire("in-use")).toBe(VolumeStatus.IN_USE);
  });

  it("leave UNSPECIFIED unsaid, and refuse what stands for nothing", () => {
    const { word } = enumWords(ImageStatusSchema, IMAGE_STATUSES);
    expect(word("status", ImageStatus.UNSPECIFIED)).toBeUndefined();
    expect(() => word("status", 99 as ImageStatus)).toThrow("status: 99 stands for nothing");
  });

  it("must all have a value", () => {
    expect(() => enumWords(ImageStatusSchema, ["Lost"])).toThrow('no value for "Lost"');
  });
});
