/** Opens a source in a worker thread, from plain data. */
import { openFile } from "./file/file.ts";
import type { Source, SourceRecipe } from "./source.ts";

/** @throws Fault SOURCE_CHANGED when the place no longer holds the recipe's version. */
export async function openRecipe(recipe: SourceRecipe): Promise<Source> {
  switch (recipe.kind) {
    case "file":
      return openFile(recipe.path, recipe, "blocking");
    case "http": {
      const { httpSource } = await import("./http/http.ts");
      const { url, headers, name, size, version, etag, lastModified, ca, reach } = recipe;
      return httpSource({
        name,
        size,
        version,
        ...(etag === undefined ? {} : { etag }),
        ...(lastModified === undefined ? {} : { lastModified }),
        ...(ca === undefined ? {} : { ca }),
        ...(reach === undefined ? {} : { reach }),
        sign: async () => ({ url, headers }),
        renewal: "elsewhere",
      });
    }
    case "decrypted": {
      const { decryptedSource } = await import("./decrypted/decrypted.ts");
      return decryptedSource(await openRecipe(recipe.of), recipe.cipher);
    }
  }
}
