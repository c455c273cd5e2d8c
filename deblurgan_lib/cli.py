"""Commands: `deblurgan download`, `split`, `cache`, `train`, `evaluate`, `deblur`, `check`."""

import argparse
import itertools
import os
import sys
from pathlib import Path

from . import __version__, batch, machine
from .data import cache, find_data, find_pairs, gopro
from .errors import CourseError, quiet_import
from .files import advice, reason
from .paths import home, runs_folder
from .photos import some
from .training import profiles, recipes


def _download(args) -> int:
    folder = args.to or home() / "data"
    archive = gopro.download(folder, args.set, args.url, args.sha256, args.zip)
    print(f"{archive} is there and verified.")
    return 0


def _split(args) -> int:
    source, folder = args.source, args.to
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
        precision=args.precision,
    )
    _print_scores(run.report)
    print(f"Everything is in {run.folder}.")
    return 0


def _evaluate(args) -> int:
    pairs = find_pairs(_part(find_data(args.data), "test"))
    with quiet_import():
        from . import evaluation, restoration
    weights = args.weights or restoration.DEFAULT
    generator = restoration.load(weights, runs_folder())
    method = restoration.METHODS[args.motion, args.ensemble]
    report = evaluation.evaluate(lambda photo: method(generator, photo, bar=False), pairs)
    print(f"Restored by {weights}: {_described(args)}.")
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


def _deblur(args) -> int:
    output, one = args.output, batch.is_file(args.output)
    plan = batch.plan(args.photos, output, "_before_after" * (args.side_by_side and not one))
    there, done, todo = batch.Existing(), batch.Done(), {}
    if plan.targets:
        batch.make_folder(output.parent if one else output)
        with quiet_import():
            from . import restoration
        weights = args.weights or restoration.DEFAULT
        file = restoration.find_weights(weights, runs_folder())
        settings = batch.Settings(__version__, file, Path(weights).stem, _described(args))
        if not args.overwrite:
            there = batch.existing(plan.targets, settings)
        kept = {*there.same, *itertools.chain(*there.other.values())}
        todo = {photo: target for photo, target in plan.targets.items() if photo not in kept}
    if todo:
        generator = restoration.load(file, precision="auto")
        method = restoration.METHODS[args.motion, args.ensemble]
        done = batch.restore_all(
            todo,
            lambda photo: method(generator, photo, bar=len(todo) < 2),
            settings,
            args.side_by_side,
        )
    return _say_how_it_ended(output, plan, there, todo, done)


def _say_how_it_ended(output: Path, plan, there, todo, done) -> int:
    failures = [*plan.failures, *(done.failures[photo] for photo in todo if photo in done.failures)]
    total = len(plan.targets) + len(plan.failures)
    restored = len(todo) - len(done.failures) - len(done.untried)
    if restored or there.same or total > 1:
        print(f"{restored} of {total} photos are restored in {output}.")
    if there.same:
        print(f"{len(there.same)} were already there and are left as they are.")
    if plan.numbered:
        names = some([f"{photo} -> {plan.targets[photo].name}" for photo in plan.numbered])
        print(f"{len(plan.numbered)} have the name of another one and got a number ({names}).")
    if done.left_out:
        names = some([f"{photo}: {kind}" for photo, kind in done.left_out.items()])
        print(f"{len(done.left_out)} files hold more than the picture that was restored ({names}).")
    if plan.left_out:
        print(f"Left out: {batch.listed(plan.left_out)}.")
    for error in failures:
        print(f"deblurgan: {error}", file=sys.stderr)
    for kind, photos in there.other.items():
        names = some([plan.targets[photo] for photo in photos])
        print(
            f"deblurgan: {len(photos)} photos are not restored, because in their places there are "
            f"{kind} ({names}); --overwrite replaces them, -o takes another folder.",
            file=sys.stderr,
        )
    missing = total - restored - len(there.same)
    if missing and total > 1:
        print(f"deblurgan: {missing} of {total} photos were not restored.", file=sys.stderr)
    return 1 if missing else 0


def _described(args) -> str:
    """The two choices in words."""
    views = "mean of eight views" if args.ensemble else "one view"
    motion = "corrected by a motion where there is one" if args.motion else "the generator alone"
    return f"{views}, {motion}"


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
    download.add_argument("--to", type=_path, metavar="FOLDER", help="default: data/")
    download.add_argument("--zip", type=_path, metavar="PATH", help="verify this archive instead")
    download.add_argument("--url", default="", help="another mirror")
    download.add_argument("--sha256", default="", metavar="HEX", help="of the other archive")
    download.set_defaults(do=_download)

    split = commands.add_parser("split", help="make A/B pairs of GOPRO")
    split.add_argument(
        "source", type=_path, metavar="SOURCE", help="the archive, or the extracted folder"
    )
    split.add_argument("--to", type=_path, required=True, metavar="FOLDER")
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
        "data", type=_typed, metavar="DATA", help="sample, gopro, or a folder with train and test"
    )
    cache.set_defaults(do=_cache)

    train = commands.add_parser("train", help="train a generator, or continue an interrupted run")
    known = ", ".join(recipes.RECIPES)
    train.add_argument("--recipe", default="", help=f"{known} (default: course)")
    train.add_argument("--profile", default="auto", help=", ".join(["auto", *profiles.PROFILES]))
    train.add_argument(
        "--data",
        type=_typed,
        default="sample",
        help="sample, gopro, or a folder with train and test",
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
        type=_typed,
        default="",
        metavar="WEIGHTS",
        help="begin with the weights of a .keras file, a run, or a generator that is shipped",
    )
    train.add_argument(
        "--precision",
        default="auto",
        help="float32, mixed_bfloat16 or mixed_float16 (default: this device's fastest, or that of "
        "the run so far)",
    )
    train.set_defaults(do=_train)

    weights = {
        "type": _typed,
        "default": "",
        "help": "a .keras file, the name of a run, or of a generator that is shipped; "
        "default: the one that is best to look at",
    }
    evaluate = commands.add_parser("evaluate", help="score a generator on pairs")
    evaluate.add_argument(
        "--data", type=_typed, default="sample", help="a data set, or a folder with A and B"
    )
    evaluate.add_argument("--weights", **weights)
    _add_methods(evaluate)
    evaluate.set_defaults(do=_evaluate)

    deblur = commands.add_parser("deblur", help="restore photographs")
    deblur.add_argument("photos", nargs="+", type=_path, metavar="PHOTO_OR_FOLDER")
    deblur.add_argument("--weights", **weights)
    deblur.add_argument(
        "-o",
        "--output",
        type=_path,
        default="deblurred",
        metavar="FOLDER",
        help="default: deblurred/; of one photo it may be a file, such as sharp.jpg",
    )
    deblur.add_argument(
        "--overwrite", action="store_true", help="make results anew that are there already"
    )
    deblur.add_argument(
        "--side-by-side", action="store_true", help="make one picture of before and after"
    )
    _add_methods(deblur)
    deblur.set_defaults(do=_deblur)

    check = commands.add_parser("check", help="say what this machine has, and what it lacks")
    check.set_defaults(do=_check)
    return parser


def _add_methods(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--ensemble",
        action="store_true",
        help="take the mean of the answers to eight rotated and flipped views: a little better, "
        "eight times as long",
    )
    command.add_argument(
        "--no-motion",
        "--generator-only",
        dest="motion",
        action="store_false",
        help="take the generator's answer as it is, and do not look for a motion of the camera "
        "that explains the photograph",
    )


def _typed(text: str) -> str:
    """A name or a path as it is typed; a shell leaves the ~ of `--to=~/data` as it is."""
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:
        if text == "~" or text.startswith("~/"):
            raise argparse.ArgumentTypeError(
                f"there is no home folder to find {text} in; write the whole path"
            ) from None
        return text  # A file whose name begins so.


def _path(text: str) -> Path:
    return Path(_typed(text))


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 if everything asked for was done, 1 if something was not, 130 if interrupted, 141 if
        nobody reads what it prints any more; a command that does not exist ends in argparse's 2.
    """
    for stream in (sys.stdout, sys.stderr):  # Names may hold letters that they cannot show.
        stream.reconfigure(errors="backslashreplace")
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
