/** EV-12: `2018-01-11T01:50:25.800931`, in UTC. */
export function timeText(at: number): string {
  return new Date(at).toISOString().replace("Z", "000");
}
