"""Commands: `deblurgan download`, `split`, `cache`, `train`, `evaluate`, `deblur`, `check`."""

import argparse
import os
import sys
from pathlib import Path

from . import __version__, machine
from .data import cache, find_data, find_pairs, gopro
from .errors import CourseError, quiet_import
from .files import advice, reason
from .paths import home, runs_folder
from .photos import list_photos, suffix_of_result
from .progress import progress
from .training import profiles, recipes


def _download(args) -> int:
    folder = Path(args.to) if args.to else home() / "data"
    archive = gopro.download(folder, args.set, args.url, args.sha256, args.zip)
    print(f"{archive} is there and verified.")
    return 0


def _split(args) -> int:
    source, folder = Path(args.source), Path(args.to)
    if source.is_file():
        source = gopro.extract(source, folder.parent / source.stem, args.blur)
        print(f"{args.source} is extracted to {source}.")
    gopro.split(source, folder, args.blur, args.partial, args.frames)
    print(f"{folder} holds the pairs.")
    return 0


def _cache(args) -> int:
    folder = find_data(args.data)
    print(f"{cache.make_cache(_part(folder, 'train'))} is complete; training will read from it.")
    return 0


def _part(folder: Path, name: str) -> Path:
    """`folder/train` or `folder/test` of a data set; a folder with A and B is its only part."""
    return folder / name if (folder / name).is_dir() else folder


def _train(args) -> int:
    data = find_data(args.data)
    with quiet_import():
        from .training import train
    run = train(
        args.run_name,
        data,
        runs_folder(),
        recipe=args.recipe,
        profile=args.profile,
        epochs=args.epochs,
        seed=args.seed,
        fresh_blur=args.fresh_blur,
        start_from=args.start_from,
    )
    _print_scores(run.report)
    print(f"Everything is in {run.folder}.")
    return 0


def _evaluate(args) -> int:
    pairs = find_pairs(_part(find_data(args.data), "test"))
    with quiet_import():
        from . import evaluation, restoration
    generator = restoration.load(args.weights or restoration.DEFAULT, runs_folder())
    method = getattr(restoration, args.method)
    report = evaluation.evaluate(lambda photo: method(generator, photo, bar=False), pairs)
    _print_scores(report)
    return 0


def _print_scores(report: dict) -> None:
    def number(value, digits):
        return "equal" if value is None else f"{value:.{digits}f}"

    print(f"{report['n_images']} photographs; {report['protocol']}.")
    print(f"{'':10}{'PSNR':>8}{'SSIM':>8}")
    for row in ("blurred", "restored"):
        psnr, ssim = report[f"psnr_{row}"], report[f"ssim_{row}"]
        print(f"{row:10}{number(psnr, 2):>8}{number(ssim, 4):>8}")
    if report.get("n_equal"):
        print(f"Left out of the means of PSNR, being infinite: {report['n_equal']} photographs.")


def _photos_to_deblur(arguments: list[str], output: Path, stem_end: str) -> dict[Path, Path]:
    """From each photo asked for to the file that will hold its restoration.

    A photo in a folder that was asked for, or in folders below it, keeps its place in them.
    """
    photos = []
    for argument in map(Path, arguments):
        found = [argument]
        if argument.is_dir():
            found = list_photos(argument, recursive=True, exclude=output)
            if not found:
                raise CourseError(f"There are no photos in {argument}.")
        photos += [(photo, argument if argument.is_dir() else photo.parent) for photo in found]
    targets = {}
    for photo, top in photos:
        name = f"{photo.stem}{stem_end}{suffix_of_result(photo)}"
        target = output / photo.relative_to(top).with_name(name)
        if target in targets.values() and photo not in targets:
            raise CourseError(
                f"Two photos would both become {target}; restore them into different folders."
            )
        if target.exists() and target.parent.samefile(photo.parent):
            raise CourseError(
                f"{photo} would overwrite {target.name} beside it; choose another output folder."
            )
        targets[photo] = target
    return targets


def _deblur(args) -> int:
    output = Path(args.output)
    targets = _photos_to_deblur(args.photos, output, "_before_after" * args.side_by_side)
    missing = {photo: target for photo, target in targets.items() if not target.exists()}
    output.mkdir(parents=True, exist_ok=True)
    with quiet_import():
        from . import restoration
    generator = restoration.load(
        args.weights or restoration.DEFAULT, runs_folder(), precision="auto"
    )
    failures, many = [], len(missing) > 1
    with progress("photos", len(missing), unit=" photos", hidden=not many) as bar:
        for photo, target in missing.items():
            try:
                restoration.restore_file(
                    generator,
                    photo,
                    target,
                    bar=not many,
                    both=args.side_by_side,
                    method=getattr(restoration, args.method),
                )
            except CourseError as error:
                failures.append(error)
            bar.update()
    restored = len(missing) - len(failures)
    print(f"{restored} of {len(targets)} photos are restored in {output}.")
    if len(missing) < len(targets):
        there = len(targets) - len(missing)
        print(f"{there} were already there and are left as they are.")
    for error in failures:
        print(f"deblurgan: {error}", file=sys.stderr)
    if failures:
        print(
            f"deblurgan: {len(failures)} of {len(targets)} photos were not restored.",
            file=sys.stderr,
        )
    return 1 if failures else 0


def _check(args) -> int:
    return 0 if machine.check() else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deblurgan", description="Train a DeblurGAN, score it, and deblur photographs with it."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    download = commands.add_parser("download", help="download and verify a data set")
    download.add_argument("data", choices=["gopro"])
    download.add_argument(
        "--set", default="light", help="light (pairs, 9 GB) or complete (sharp frames, 35 GB)"
    )
    download.add_argument("--to", metavar="FOLDER", help="default: data/")
    download.add_argument("--zip", metavar="PATH", help="verify this archive instead")
    download.add_argument("--url", default="", help="another mirror")
    download.add_argument("--sha256", default="", metavar="HEX", help="of the other archive")
    download.set_defaults(do=_download)

    split = commands.add_parser("split", help="make A/B pairs of GOPRO")
    split.add_argument("source", metavar="SOURCE", help="the archive, or the extracted folder")
    split.add_argument("--to", required=True, metavar="FOLDER")
    split.add_argument("--blur", default="blur", help="blur or blur_gamma")
    split.add_argument(
        "--frames", type=int, default=0, help="complete set: average that many, 7, 9, 11 or 13"
    )
    split.add_argument("--partial", action="store_true", help="accept a part of GOPRO")
    split.set_defaults(do=_split)

    cache = commands.add_parser(
        "cache", help="decode the training pairs once; takes disk, training reads them faster"
    )
    cache.add_argument(
        "data", metavar="DATA", help="sample, gopro, or a folder with train and test"
    )
    cache.set_defaults(do=_cache)

    train = commands.add_parser("train", help="train a generator, or continue an interrupted run")
    known = ", ".join(recipes.RECIPES)
    train.add_argument("--recipe", default="", help=f"{known} (default: course)")
    train.add_argument("--profile", default="auto", help=", ".join(["auto", *profiles.PROFILES]))
    train.add_argument(
        "--data", default="sample", help="sample, gopro, or a folder with train and test"
    )
    train.add_argument(
        "--run-name", default="", help="folder below runs/ (default: RECIPE-PROFILE)"
    )
    train.add_argument("--epochs", type=int, default=0, help="default: the profile's")
    train.add_argument("--seed", type=int, help="of weights and data (default: 0)")
    train.add_argument(
        "--fresh-blur",
        type=float,
        metavar="SHARE",
        help="share of crops blurred anew (default: 0.5 of the sample set, else 0)",
    )
    train.add_argument(
        "--start-from",
        default="",
        metavar="WEIGHTS",
        help="begin with the weights of a .keras file, a run, or a generator that is shipped",
    )
    train.set_defaults(do=_train)

    weights = {
        "default": "",
        "help": "a .keras file, the name of a run, or of a generator that is shipped; "
        "default: the one that is best to look at",
    }
    evaluate = commands.add_parser("evaluate", help="score a generator on pairs")
    evaluate.add_argument("--data", default="sample", help="a data set, or a folder with A and B")
    evaluate.add_argument("--weights", **weights)
    _add_methods(evaluate, default="restore")
    evaluate.set_defaults(do=_evaluate)

    deblur = commands.add_parser("deblur", help="restore photographs")
    deblur.add_argument("photos", nargs="+", metavar="PHOTO_OR_FOLDER")
    deblur.add_argument("--weights", **weights)
    deblur.add_argument(
        "-o", "--output", default="deblurred", metavar="FOLDER", help="default: deblurred/"
    )
    deblur.add_argument(
        "--side-by-side", action="store_true", help="make one picture of before and after"
    )
    _add_methods(deblur, default="deblur")
    deblur.set_defaults(do=_deblur)

    check = commands.add_parser("check", help="say what this machine has, and what it lacks")
    check.set_defaults(do=_check)
    return parser


METHODS = {
    "restore": ("--generator-only", "take the generator's answer as it is"),
    "deblur": (
        "--motion",
        "where one motion of the camera explains the photograph, correct the answer by it",
    ),
    "deblur_ensemble": (
        "--ensemble",
        "the same with the mean of the answers to eight rotated and flipped views: a little "
        "better, eight times as long",
    ),
}  # From the name of a function in `restoration` to its option.


def _add_methods(command: argparse.ArgumentParser, default: str) -> None:
    options = command.add_mutually_exclusive_group()
    for method, (option, description) in METHODS.items():
        description += " (default)" * (method == default)
        options.add_argument(
            option, dest="method", action="store_const", const=method, help=description
        )
    command.set_defaults(method=default)


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 if everything asked for was done, 1 if something was not, 130 if interrupted, 141 if
        nobody reads what it prints any more; a command that does not exist ends in argparse's 2.
    """
    args = _parser().parse_args(arguments)
    try:
        done = args.do(args)
        sys.stdout.flush()
        return done
    except CourseError as error:
        print(f"deblurgan: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # As of `| head`; the shell's number for it is 128 + SIGPIPE.
        # What is still to be printed goes nowhere, or Python would fail again as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"deblurgan: {reason(error)}; {advice(error)}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("deblurgan: interrupted; the same command goes on.", file=sys.stderr)
        return 130
