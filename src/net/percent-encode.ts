/** RFC 3986, 2.3: all but the unreserved characters, which are letters, digits, `-`, `_`, `.` and `~`. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
