/** Puts off making a function until its first call, so that importing a handler needs no environment. */
export const lazily = <A extends unknown[], R>(
  make: () => (...parameters: A) => R,
): ((...parameters: A) => R) => {
  let made: ((...parameters: A) => R) | undefined;
  return (...parameters) => {
    made ??= make();
    return made(...parameters);
  };
};
