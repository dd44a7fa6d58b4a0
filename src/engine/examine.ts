export interface Finding {
  readonly name: string;
  readonly state: "ok" | "missing" | "failed";
  readonly text: string;
}
export async function examine(_engine: unknown, _signal: AbortSignal): Promise<Finding[]> {
  return [];
}
