/** Something found out, and the file that says it. */
export interface Fact<T> {
  readonly value: T
  /** As the machine names it; null: nothing says it. */
  readonly evidence: string | null
}
