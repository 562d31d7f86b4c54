import { ImagePlus } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";

/** Where images are dropped or picked; pasting works on the whole page. */
export function Dropzone({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFiles(event.dataTransfer.files);
  };
  return (
    <div
      role="group"
      aria-label={text.run.drop}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
      className={`grid justify-items-center gap-2 rounded border border-dashed px-6 py-10 text-center transition-colors ${over ? "border-accent bg-accent-soft" : "border-line-strong bg-raised"}`}
    >
      <ImagePlus size={26} className="text-muted" aria-hidden />
      <p className="font-medium">{text.run.drop}</p>
      <p className="text-sm text-muted">{text.run.dropHint}</p>
      <Button size="sm" onClick={() => picker.current?.click()}>
        {text.run.choose}
      </Button>
      <input
        ref={picker}
        type="file"
        accept="image/*,.tif,.tiff,.dcm"
        multiple
        aria-label={text.run.choose}
        tabIndex={-1}
        className="sr-only"
        onChange={(event) => {
          onFiles(event.target.files ?? []);
          event.target.value = "";
        }}
      />
    </div>
  );
}
