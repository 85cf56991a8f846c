import type { ReactElement } from 'react';
import { useServices } from '../page-services.ts';
import { useSwitch } from '../tries/smaller-switch.ts';

export const SmallerCheckbox = (): ReactElement => {
  const { smaller } = useServices();
  const on = useSwitch(smaller);
  return (
    <label className="check">
      <input type="checkbox" checked={on} onChange={(event) => smaller.set(event.target.checked)} />
      If the GPU runs out of memory, try again smaller
    </label>
  );
};
