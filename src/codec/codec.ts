/** Coded units to guest bytes and back. Native where the machine has it (libdeflate), built in otherwise. */
export {};
