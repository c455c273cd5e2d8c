"""GOPRO, the data set that DeblurGAN was trained on: download, verify, extract, split into A/B.

Its addresses, checksum, licence, scenes and counts are in gopro.json, where null means unknown.
Each step can be interrupted and continued, and leaves no incomplete file under a final name.
"""

import json
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..errors import CourseError
from ..files import check_free_space, explaining, gigabytes, read_json, replacing, write_json
from ..photos import list_photos, read_photo, write_photo
from ..progress import progress
from .blur import average_frames
from .download import arrived, fault, fetch

MANIFEST = Path(__file__).parent / "gopro.json"
HUB = "https://huggingface.co"
SPLITS = ("train", "test")
BLURS = ("blur", "blur_gamma")
FRAMES = (7, 9, 11, 13)  # The paper averaged 7 to 13 frames; only an odd number has a middle one.

# With or without a folder around everything; frames lie in blur, blur_gamma and sharp (light set)
# or directly in the scene (complete set). What does not look like this is not extracted.
MEMBER = re.compile(r"(?:[^/]+/)?(train|test)/(\w+)/(?:(blur|blur_gamma|sharp)/)?(\d+\.png)", re.A)
# A PNG of 1280x720 pixels has at most 2.8 MB, and zipping PNGs gains next to nothing.
LARGEST_FRAME = 16_000_000
LARGEST_RATIO = 4
AGAIN = "delete it and download it again"
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # The others unpack without a limit on memory.
# What a zip archive that was cut or changed raises; RuntimeError is that of an encrypted one.
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, UnicodeError)


def manifest() -> dict:
    """The manifest of GOPRO: `sets`, `pairs`, `scenes`, `homepage`, `licence`, `citation`."""
    return json.loads(MANIFEST.read_text(encoding="utf-8"))["gopro"]


def _check_blur(blur: str) -> None:
    if blur not in BLURS:
        raise CourseError(f"GOPRO has no blur {blur!r}; it has {' and '.join(BLURS)}.")


def _state(archive: Path, sha256: str) -> str:
    """Path, size, time and checksum of the archive, stored because hashing 9 GB takes long."""
    seen = archive.stat()
    return f"{archive.resolve()} {seen.st_size} {seen.st_mtime_ns} {sha256}\n"


def _through_mirror(source: str) -> str:
    """With `HF_ENDPOINT`, as huggingface_hub reads it, the Hub is reached through a mirror."""
    return source.replace(HUB, os.environ.get("HF_ENDPOINT", HUB).rstrip("/"))


def download(
    folder: Path,
    name: str = "light",
    url: str = "",
    sha256: str = "",
    zip_file: Path | None = None,
    extract_to: Path | None = None,
) -> Path:
    """A verified archive of GOPRO.

    The sources in the manifest are tried in order, the Hugging Face Hub first (`HF_ENDPOINT` names
    a mirror of it); what has arrived is kept and continued. An
    archive that was verified before and has not changed since is returned at once.

    Args:
        folder: where the archive goes; it is made if it is not there.
        name: `"light"` (pairs, about 9 GB) or `"complete"` (sharp frames only, about 35 GB).
        url: another mirror to take it from, HTTP or Google Drive; "": those of the manifest.
        sha256: hexadecimal digest that the archive must have; "": the manifest's, if it is known.
        zip_file: an archive that you have already; it is verified and stays where it is.
        extract_to: whose disk must have room for the frames; None: that of `folder`.

    Returns:
        Path of the archive: `folder/GOPRO_Large.zip`, `folder/GOPRO_Large_all.zip`, or `zip_file`.

    Raises:
        CourseError: the disk is too small, no source delivered (each is listed with its reason),
            or the archive that is there is not GOPRO's.
    """
    about = manifest()["sets"]
    if name not in about:
        raise CourseError(f"GOPRO has no set {name!r}; it has {' and '.join(about)}.")
    about = about[name]
    if url and not re.match("https?://", url):
        raise CourseError(f"{url!r} is no mirror's address; it begins with http:// or https://.")
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise CourseError(f"{sha256!r} is no sha256 digest, which has 64 hexadecimal digits.")
    # With a digest of its own it may be another archive, whose size is not known.
    size = None if sha256 else about["bytes"]
    sha256 = sha256.lower() or about["sha256"] or ""

    folder = Path(folder)
    archive = Path(zip_file) if zip_file else folder / about["file"]
    verified = folder / f".{archive.name}.verified"
    if archive.is_file():
        if verified.is_file() and verified.read_text(encoding="utf-8") == _state(archive, sha256):
            return archive
        if wrong := fault(archive, sha256, size):
            raise CourseError(
                f"{archive} is not the archive that was expected ({wrong}); "
                "move it away and download it again."
            )
    elif zip_file:
        raise CourseError(f"There is no archive {archive}; check the spelling.")
    else:
        sources = [url] if url else [_through_mirror(source) for source in about["sources"]]
        whole = size or about["approximate_bytes"]
        rest = whole - max(arrived(archive, source) for source in sources)
        frames = about["approximate_extracted_bytes"]
        if extract_to:
            check_free_space(extract_to, frames, f"What is extracted from {archive.name}")
            frames = 0
        check_free_space(folder, max(rest, 0) + frames, f"{archive.name}, to be extracted,")
        fetch(sources, archive, sha256, size, whole)
    folder.mkdir(parents=True, exist_ok=True)
    verified.write_text(_state(archive, sha256), encoding="utf-8")
    return archive


def _frames(archive: Path, members: list[zipfile.ZipInfo], blur: str) -> dict[Path, list]:
    """The members to extract, by the folder that they go to: `train/SCENE/sharp` and so on.

    Raises:
        CourseError: what no archive of GOPRO holds, and what a malicious one might.
    """
    folders, names = {}, set()
    for info in members:
        name = info.filename
        if name.startswith(("/", "\\")) or ":" in name or ".." in re.split(r"[/\\]", name):
            raise CourseError(
                f"{archive} is not safe to extract: {name!r} leads elsewhere; {AGAIN}."
            )
        frame = MEMBER.fullmatch(name)
        if not frame or frame[3] not in (blur, "sharp", None):
            continue
        place = frame.expand(r"\1/\2/\3/\4") if frame[3] else frame.expand(r"\1/\2/\4")
        wrong = (
            "is there twice" if place in names
            else "is encrypted" if info.flag_bits & 1
            else "is packed in an unusual way" if info.compress_type not in PACKED
            else "is a link" if stat.S_ISLNK(info.external_attr >> 16)
            else f"would have {info.file_size} bytes" if info.file_size > LARGEST_FRAME
            else ""
        )  # fmt: skip
        if wrong:
            raise CourseError(f"{archive} is not safe to extract: {name!r} {wrong}; {AGAIN}.")
        names.add(place)
        folders.setdefault(Path(place).parent, []).append(info)
    if not folders:
        raise CourseError(
            f"{archive} has no frames like train/SCENE/sharp/000001.png; is it GOPRO?"
        )
    sides = {folder.name for folder in folders} & {*BLURS, "sharp"}
    if sides == {"sharp"}:
        raise CourseError(f"{archive} has no folder {blur}; choose another blur (--blur).")
    size = sum(info.file_size for infos in folders.values() for info in infos)
    if size > LARGEST_RATIO * archive.stat().st_size:
        raise CourseError(
            f"{archive} is not safe to extract: it would become {gigabytes(size)}; {AGAIN}."
        )
    return folders


def _holds(folder: Path, infos: list[zipfile.ZipInfo]) -> bool:
    if not folder.is_dir():
        return False
    there = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    return all(there.get(info.filename.split("/")[-1]) == info.file_size for info in infos)


def extract(archive: Path, folder: Path, blur: str = "blur") -> Path:
    """Extract the frames that are needed: `sharp`, and one of the two kinds of blur.

    Each scene is extracted to a temporary folder and renamed when it is complete; what exists
    already is kept, so an interrupted extraction continues.

    Args:
        archive: a zip archive in GOPRO's layout, see `download`.
        folder: gets `train/SCENE/blur/FRAME.png` and so on, without a folder around them.
        blur: `"blur"` (mean of pixel values) or `"blur_gamma"` (mean of amounts of light).

    Returns:
        `folder`.

    Raises:
        CourseError: the archive is damaged, unsafe or not GOPRO's, or the disk is too small.
    """
    _check_blur(blur)
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise CourseError(f"There is no archive {archive}; check the spelling.")
    name = ""
    failure = f"{archive} could not be extracted to {folder}"
    try:
        with explaining(failure), zipfile.ZipFile(archive) as opened:
            folders = _frames(archive, opened.infolist(), blur)
            todo = {k: infos for k, infos in folders.items() if not _holds(folder / k, infos)}
            size = sum(info.file_size for infos in todo.values() for info in infos)
            check_free_space(folder, size, f"What is extracted from {archive.name}")
            with progress(f"extracting {archive.name}", size) as bar:
                for place, infos in todo.items():
                    target = folder / place
                    scene = target if target.parent.name in SPLITS else target.parent
                    beside = scene.with_name(f".{scene.name}.part")
                    shutil.rmtree(beside, ignore_errors=True)
                    beside.mkdir(parents=True)
                    for info in infos:
                        name = info.filename
                        with opened.open(info) as member:
                            # No more than was declared, and one byte more to reach the checksum.
                            frame = member.read(info.file_size + 1)
                        if len(frame) != info.file_size:
                            raise zipfile.BadZipFile("it is shorter than it should be")
                        (beside / name.split("/")[-1]).write_bytes(frame)
                        bar.update(len(frame))
                    if target.is_dir():  # Frames were taken out of it, or it holds another set.
                        for file in beside.iterdir():
                            os.replace(file, target / file.name)
                        beside.rmdir()
                    else:
                        target.parent.mkdir(exist_ok=True)
                        os.replace(beside, target)
    except DAMAGED as error:
        raise CourseError(
            f"{archive} is damaged{f' at {name}' if name else ''} ({error}); "
            "delete it and download it again."
        ) from None
    return folder


def _numbered(folder: Path) -> dict[str, Path]:
    """The frames of a folder by name, in the order of their numbers."""
    if not folder.is_dir():
        return {}
    frames = [path for path in folder.iterdir() if re.fullmatch(r"\d+\.png", path.name, re.A)]
    return {path.name: path for path in sorted(frames, key=lambda path: int(path.stem))}


def _as_they_are(scene: Path, blur: str) -> list[tuple[list[Path], Path]]:
    """The pairs of a scene of the light set: (one blurred frame, sharp frame)."""
    blurred, sharp = _numbered(scene / blur), _numbered(scene / "sharp")
    if not blurred or not sharp:
        raise CourseError(
            f"{scene} has frames without blur, as the complete set; average them with "
            "frames=11 (--frames 11)."
            if _numbered(scene)
            else f"{scene} has no frames in {blur} and sharp; extract it again with "
            f"blur={blur!r} (--blur {blur})."
        )
    lonely = sorted(blurred.keys() ^ sharp.keys())
    if lonely:
        raise CourseError(
            f"{scene} has {len(lonely)} frames only in {blur} or only in sharp "
            f"({', '.join(lonely[:5])}); extract it again."
        )
    return [([blurred[name]], sharp[name]) for name in sharp]


def _to_average(scene: Path, n: int) -> list[tuple[list[Path], Path]]:
    """The pairs of a scene of the complete set: (n consecutive frames, the middle one)."""
    frames = list(_numbered(scene).values())
    if not frames:
        raise CourseError(f"{scene} has no frames to average; for the light set leave out frames.")
    pairs, i = [], 0
    while i + n <= len(frames):
        window = frames[i : i + n]
        if int(window[-1].stem) - int(window[0].stem) == n - 1:
            pairs.append((window, window[n // 2]))
            i += n
        else:  # A frame is missing in between, and the light would jump.
            i += 1
    return pairs


def _missing(found: dict[str, dict[str, list]], averaged: bool) -> list[str]:
    """The differences between the scenes and pairs found and those of GOPRO, one entry each."""
    known, missing = manifest(), []
    for part in SPLITS:
        scenes, pairs = known["scenes"][part], {k: len(v) for k, v in found[part].items()}
        lost, others = sorted(scenes.keys() - pairs.keys()), sorted(pairs.keys() - scenes.keys())
        if lost:
            missing.append(f"{part} lacks {len(lost)} of {len(scenes)} scenes ({', '.join(lost)})")
        if others:
            missing.append(f"{part} has other scenes ({', '.join(others)})")
        if averaged:
            continue  # How many frames the complete set has is not known.
        for scene, n in scenes.items():
            if scene in pairs and n not in (None, pairs[scene]):
                missing.append(f"{part}/{scene} has {pairs[scene]} of {n} pairs")
        if sum(pairs.values()) != known["pairs"][part]:
            missing.append(f"{part} has {sum(pairs.values())} of {known['pairs'][part]} pairs")
    return missing


def _place(photo: Path, target: Path) -> None:
    """Link a photograph to its target; where hard links are not possible, copy it."""
    if target.is_file() and target.stat().st_size == photo.stat().st_size:
        return
    with replacing(target) as beside:
        beside.unlink(missing_ok=True)
        try:
            os.link(photo, beside)
        except OSError:
            shutil.copyfile(photo, beside)


def _record(folder: Path) -> dict:
    """The settings of the split in `folder`; {} if there are none."""
    return read_json(folder / "split.json")


def split(
    source: Path, folder: Path, blur: str = "blur", partial: bool = False, frames: int = 0
) -> Path:
    """Make the A/B folders that the course trains on, with files named `SCENE_FRAME.png`.

    Files are hard links where the file system has them, else copies. Running it again completes
    what is missing and changes nothing else. The choice of blur is kept in `folder/split.json`.

    Args:
        source: the extracted light or complete set, see `extract`.
        folder: gets `train/A`, `train/B`, `test/A`, `test/B`; `A` is blurred, `B` is sharp.
        blur: `"blur"` or `"blur_gamma"`; a folder holds one of them, never both.
        partial: accept fewer scenes and pairs than GOPRO has.
        frames: 0 for the light set; 7, 9, 11 or 13 for the complete set: that many consecutive
            sharp frames are averaged (`blur.average_frames`), and the middle one is the partner.

    Returns:
        `folder`.

    Raises:
        CourseError: scenes or pairs are missing (they are listed), a scene is in train and in
            test, names of partners differ, or `folder` was split with another choice.
    """
    _check_blur(blur)
    if frames and frames not in FRAMES:
        raise CourseError(f"{frames} frames are not averaged; choose one of {FRAMES}.")
    source, folder = Path(source), Path(folder)
    choice, before = {"blur": blur, "frames": frames}, _record(folder)
    if before and any(before.get(key) != choice[key] for key in choice):
        raise CourseError(
            f"{folder} was split with blur={before.get('blur')!r} and frames="
            f"{before.get('frames')}; another choice needs another folder."
        )
    inside = sorted(path for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
    roots = [root for root in (source, *inside) if any((root / part).is_dir() for part in SPLITS)]
    if not roots:
        raise CourseError(f"There is no folder train or test in {source}; is it GOPRO?")
    found = {
        part: {
            scene.name: _to_average(scene, frames) if frames else _as_they_are(scene, blur)
            for scene in sorted(roots[0].glob(f"{part}/[!.]*"))
            if scene.is_dir()
        }
        for part in SPLITS
    }
    if both := sorted(found["train"].keys() & found["test"].keys()):
        raise CourseError(f"{', '.join(both)} is in train and in test of {source}; remove one.")
    missing = _missing(found, averaged=frames > 0)
    if missing and not partial:
        raise CourseError(
            f"{source} is not all of GOPRO: {'; '.join(missing)}. "
            "Extract the archive again, or accept what is there with partial=True (--partial)."
        )

    pairs = {part: sum(len(pairs) for pairs in found[part].values()) for part in SPLITS}
    with explaining(f"{source} could not be split into {folder}"):
        for part in SPLITS:
            for side in "AB":
                (folder / part / side).mkdir(parents=True, exist_ok=True)
        if not before:
            write_json(folder / "split.json", choice)
        with progress("splitting", sum(pairs.values()), unit=" pairs") as bar:
            for part, scenes in found.items():
                for scene, blurred, sharp in [(s, *pair) for s in scenes for pair in scenes[s]]:
                    name = f"{scene}_{sharp.name}"
                    _place(sharp, folder / part / "B" / name)
                    target = folder / part / "A" / name
                    if not frames:
                        _place(blurred[0], target)
                    elif not target.is_file():
                        photos = np.stack([read_photo(path) for path in blurred])
                        write_photo(target, average_frames(photos, gamma=blur == "blur_gamma"))
                    bar.update()
        if not is_complete(folder):  # A part of GOPRO may be split again into the whole of it.
            write_json(folder / "split.json", {**choice, "pairs": pairs, "complete": not missing})
    return folder


def is_complete(folder: Path) -> bool:
    """Whether `folder` holds all of GOPRO as A/B pairs, see `split`."""
    record = _record(folder)
    if record and not record.get("complete"):
        return False
    pairs = record.get("pairs") or manifest()["pairs"]  # Without a record it was made by hand.
    return all(
        (folder / part / side).is_dir() and len(list_photos(folder / part / side)) >= pairs[part]
        for part in SPLITS
        for side in "AB"
    )


def make_gopro(folder: Path, archives: Path) -> Path:
    """GOPRO as A/B pairs in `folder`: downloaded, extracted and split, unless it is complete.

    The archive is in `archives`, or lands there; what is extracted from it lands beside `folder`.

    Returns:
        `folder`.
    """
    folder = Path(folder)
    if is_complete(folder):
        return folder
    record, about = _record(folder), manifest()["sets"]["light"]
    if record.get("frames"):
        raise CourseError(f"{folder} is only a part of the complete set; split that again into it.")
    blur = record.get("blur", "blur")
    print(
        f"GOPRO is not complete in {folder}. It is made from {about['file']}, which is downloaded "
        f"to {archives} if it is not there (about {gigabytes(about['approximate_bytes'])}), and "
        f"extracted to {folder.parent} (about {gigabytes(about['approximate_extracted_bytes'])})."
    )
    archive = download(archives, extract_to=folder.parent)
    return split(extract(archive, folder.parent / archive.stem, blur), folder, blur)
