/** Where the programs that tests start keep compiled code, for all of them together: each has a home of its own. */
import { join } from "node:path";

export const COMPILED_CODE = join(import.meta.dirname, "../../node_modules/.cache/compiled");
