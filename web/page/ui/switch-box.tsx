import type { ReactElement } from 'react';
import { useSwitch, type KeptSwitch } from './kept-switch.ts';

export interface SwitchBoxProps {
  readonly of: KeptSwitch;
  readonly label: string;
}

export const SwitchBox = ({ of, label }: SwitchBoxProps): ReactElement => {
  const on = useSwitch(of);
  return (
    <label className="check">
      <input type="checkbox" checked={on} onChange={(event) => of.set(event.target.checked)} />
      {label}
    </label>
  );
};
