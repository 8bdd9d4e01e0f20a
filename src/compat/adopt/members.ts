/** The members of an old session that came as JSON; `undefined` where it is no object. */
export function membersIn(text: string): Record<string, unknown> | undefined {
  try {
    const members: unknown = JSON.parse(text)
    return typeof members === 'object' && members !== null && !Array.isArray(members)
      ? (members as Record<string, unknown>)
      : undefined
  } catch {
    // Signed by a server of before, and no session all the same.
    return undefined
  }
}
