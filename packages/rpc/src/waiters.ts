/** Promises that settle together, at the next wake. */
export class Waiters {
  #resolvers: (() => void)[] = []

  wait(): Promise<void> {
    return new Promise((resolve) => this.#resolvers.push(resolve))
  }

  wake(): void {
    for (const resolve of this.#resolvers.splice(0)) resolve()
  }
}
