/** What the program tells its caller. */
export const EXIT = { failed: 1, usage: 2, interrupted: 130 } as const;
