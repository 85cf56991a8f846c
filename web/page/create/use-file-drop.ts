import { useEffect, useState } from 'react';

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true;

/** Takes a file that is dropped anywhere on the page; true while one hovers over it. */
export const useFileDrop = (onFile: (file: File) => void): boolean => {
  const [hovering, setHovering] = useState(false);
  useEffect(() => {
    const over = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      // Without it the browser would leave the page to show the file.
      event.preventDefault();
      setHovering(true);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setHovering(false);
    };
    const drop = (event: DragEvent): void => {
      setHovering(false);
      const file = event.dataTransfer?.files[0];
      // A file field takes what is dropped on it.
      if (file === undefined || (event.target as Element | null)?.closest('input[type=file]')) return;
      event.preventDefault();
      onFile(file);
    };
    // Both: where the page moves under the pointer, a drop may follow the entering of an element at once.
    window.addEventListener('dragenter', over);
    window.addEventListener('dragover', over);
    window.addEventListener('dragleave', leave);
    window.addEventListener('drop', drop);
    return () => {
      window.removeEventListener('dragenter', over);
      window.removeEventListener('dragover', over);
      window.removeEventListener('dragleave', leave);
      window.removeEventListener('drop', drop);
    };
  }, [onFile]);
  return hovering;
};
