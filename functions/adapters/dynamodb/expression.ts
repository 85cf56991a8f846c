/** Collects names and values of an expression, so that no attribute name meets DynamoDB's reserved words. */
export interface Expression {
  /** `#n0`, standing for the attribute. */
  readonly name: (attribute: string) => string;
  /** `:v0`, standing for the value. */
  readonly value: (value: unknown) => string;
  readonly names: () => Record<string, string>;
  readonly values: () => Record<string, unknown>;
}

export const createExpression = (): Expression => {
  const names = new Map<string, string>();
  const values = new Map<string, unknown>();
  return {
    name: (attribute) => {
      const token = names.get(attribute) ?? `#n${names.size}`;
      names.set(attribute, token);
      return token;
    },
    value: (value) => {
      const token = `:v${values.size}`;
      values.set(token, value);
      return token;
    },
    names: () => Object.fromEntries([...names].map(([attribute, token]) => [token, attribute])),
    values: () => Object.fromEntries(values),
  };
};
