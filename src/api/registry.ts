/** The dialects: other clouds' ways to ask. One more is one folder and one line here. */
import type { HttpHandler } from "./call.ts";
import type { DialectPorts } from "./dialect.ts";
import { fujitsuHandler } from "./fujitsu/handler.ts";
import { huaweiHandler } from "./huawei/handler.ts";

/** Asked in this order: the first that knows the path answers. */
export function dialects(ports: DialectPorts): readonly HttpHandler[] {
  return [fujitsuHandler(ports), huaweiHandler(ports)];
}
