"""Chat JSONL with images for vision fine-tuning.

Only the label of a training case is known, so only the label is taught: the model answers with its letter, in a new
order each time. Used with ``confidence = "logprobs"``, the tuned model's probabilities are then its own, and nothing
was made up for it to repeat.
"""

import json

from doubleread.agents.vlm.agent import VlmContext
from doubleread.agents.vlm.forms import LetterForm
from doubleread.agents.vlm.messages import put, shown, shuffled
from doubleread.agents.vlm.vlm_options import VlmOptions
from doubleread.core.case import Case


async def training_line(case: Case, options: VlmOptions, context: VlmContext) -> str:
    """One example as a line; raises ``ImageError``, and ``TaskError`` for a label the task does not know."""
    form, task = LetterForm(), context.task
    order = shuffled(task, case.id, "fine-tuning")
    image = await context.pictures.url(case, options.image_side)
    question, answer_form = context.prompts.get(options.prompt), context.prompts.get(form.prompt)
    request = put(options.model, question, form, answer_form, task, order, image)
    label = task.names[task.index(str(case.label))]
    letter = next(one.letter for one in shown(task, order) if one.name == label)
    messages = [*request.messages, {"role": "assistant", "content": letter}]
    return json.dumps({"messages": messages}, ensure_ascii=False) + "\n"
